/**
 * State and socket directories on file systems that are full, without inodes or read-only, before krtd starts and while
 * it runs: it runs on, or refuses to start and says what to do. The file systems are mounted in a mount namespace of
 * krtd alone.
 */

import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { ask } from "../support/http-unix.ts";
import { makeDirectory, type RunningKrtd, runKrtd, startKrtd } from "../support/krtd.ts";
import { krtdApi } from "../support/krtd-api.ts";
import { createTopology, type Netns, waitFor } from "../support/netns.ts";

const V4 = FAMILIES[0]!;
const CONFIG = configText({ 4: [{ prefix: V4.net(1), via: V4.gateway }] });

/** What is done to the file system at $DISK. */
const FULL =
  'mount -t tmpfs -o size=16k none "$DISK" && { dd if=/dev/zero of="$DISK/fill" bs=4k 2>/dev/null; true; }';
const NO_INODES = 'mount -t tmpfs -o nr_inodes=1 none "$DISK"';
const READ_ONLY = 'mount -t tmpfs -o ro none "$DISK"';
const GOOD = 'mount -t tmpfs none "$DISK"';

let ns: Netns;
let directory: string;
let disk: string;

beforeEach(async () => {
  ns = await createTopology();
  directory = await makeDirectory();
  disk = join(directory, "disk");
  await mkdir(disk);
});

afterEach(async () => {
  await ns?.dispose();
  await rm(directory, { recursive: true });
});

function options(mount: string, args: readonly string[]) {
  const wrapper = ["unshare", "-m", "sh", "-c", `DISK=${disk}; ${mount} && exec "$@"`, "sh"];
  return { directory, args, wrapper };
}

const STATE = (): string[] => ["--state-directory", disk];
const SOCKET = (): string[] => ["--socket", join(disk, "krtd.sock")];

/** Asks krtd over a path as it sees it. */
function api(krtd: RunningKrtd, socket: string) {
  return krtdApi(`/proc/${krtd.pid}/root${socket}`);
}

async function works(krtd: RunningKrtd, socket: string): Promise<void> {
  await waitFor("in sync", async () => (await api(krtd, socket).state()) === "in-sync");
  expect(await ownLines(ns, "-4")).toHaveLength(1);
  await ns.ip(`route del ${V4.net(1)}`);
  await waitFor("the repair", async () => (await ownLines(ns, "-4")).length === 1);
}

describe("krtd refuses to start, in words, with", () => {
  it.each([
    [
      "a state directory without inodes",
      NO_INODES,
      STATE,
      /^krtd: Cannot lock state directory \S+disk: cannot open \S+krtd\.lock: ENOSPC.* Make room on that file system \(df, df -i\)/,
    ],
    [
      "a read-only state directory",
      READ_ONLY,
      STATE,
      /^krtd: Cannot lock state directory .*EROFS.* read-only: remount it, or choose another/,
    ],
    [
      "a state directory that is to be made on a read-only file system",
      READ_ONLY,
      () => ["--state-directory", join(disk, "x")],
      /^krtd: Cannot create state directory \S+: EROFS.* remount it/,
    ],
    [
      "a state directory that is to be made on a file system without inodes",
      NO_INODES,
      () => ["--state-directory", join(disk, "x")],
      /^krtd: Cannot create state directory \S+: ENOSPC.* Make room/,
    ],
    [
      "a socket directory without inodes",
      NO_INODES,
      SOCKET,
      /^krtd: Cannot lock control socket .*ENOSPC.* Make room/,
    ],
    [
      "a read-only socket directory",
      READ_ONLY,
      SOCKET,
      /^krtd: Cannot lock control socket .*EROFS.* remount it/,
    ],
    [
      "a socket directory with an inode for the lock only",
      'mount -t tmpfs -o nr_inodes=2 none "$DISK"',
      SOCKET,
      /^krtd: Cannot listen on control socket .* (ENOSPC|no space).* Make room/,
    ],
  ])("%s", async (_what, mount, args, says) => {
    const { code, stderr } = await runKrtd(ns, CONFIG, options(mount, args()));
    expect(stderr).toMatch(says);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
    expect(await ownLines(ns, "-4")).toEqual([]);
  });
});

describe("krtd works with", () => {
  it("a full state directory, and a second one is refused all the same", async () => {
    await using krtd = await startKrtd(ns, CONFIG, options(FULL, STATE()));
    await works(krtd, krtd.socket);
    // Through /proc: the file system is there only for the first.
    const second = await runKrtd(ns, CONFIG, {
      args: ["--state-directory", `/proc/${krtd.pid}/root${disk}`],
    });
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/Cannot use state directory \S+: another krtd uses it/);
    expect(await krtd.stop()).toBe(0);
    expect(await ownLines(ns, "-4")).toEqual([]);
  });

  it("a full socket directory", async () => {
    await using krtd = await startKrtd(ns, CONFIG, options(FULL, SOCKET()));
    await works(krtd, SOCKET()[1]!);
    expect((await ask(`/proc/${krtd.pid}/root${SOCKET()[1]}`, "/v1/status")).status).toBe(200);
    expect(await krtd.stop()).toBe(0);
  });

  it.each([
    ["fill up", "dd if=/dev/zero of=DISK/fill bs=1M count=64"],
    ["disappear under a read-only one", "mount -t tmpfs -o ro none DISK"],
    ["are unmounted", "umount -l DISK"],
  ])("directories that %s while it runs, and stops in order", async (_how, command) => {
    const mount = `${GOOD.replace("none", "-o size=1m none")}`;
    await using krtd = await startKrtd(ns, CONFIG, options(mount, [...STATE(), ...SOCKET()]));
    await works(krtd, SOCKET()[1]!);
    const words = command.replaceAll("DISK", disk).split(" ");
    const full = await ns.run("sh", ["-c", `nsenter -t ${krtd.pid} -m -- ${words.join(" ")} 2>&1; true`]);
    expect(full).not.toMatch(/^(u?mount|nsenter): /m);
    await ns.ip(`route del ${V4.net(1)}`);
    await waitFor("the repair", async () => (await ownLines(ns, "-4")).length === 1);
    expect(await krtd.stop()).toBe(0);
    expect(await ownLines(ns, "-4")).toEqual([]);
  });
});
