/** Names of network namespaces that come, go and are replaced, watched on the real file system. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../src/lib/log.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { linuxOsProvider } from "../../src/sysdep/linux/provider.ts";
import type { NetnsWatch } from "../../src/sysdep/os.ts";
import { createNetns, type Netns, waitFor } from "../support/netns.ts";

const provider = linuxOsProvider({
  transport: "socket",
  rxBufferBytes: 65536,
  attrs: new AttrsTable(),
  log: silentLog,
});

/** Runs `ip` outside of all test namespaces. */
let outside: Netns;
let name: string;
let watch: NetnsWatch;
let seen: (string | null)[];

/** `ip netns VERB NAME`, whatever it says. */
function netns(verb: "add" | "del"): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("ip", ["netns", verb, name], { stdio: "ignore" });
    child.once("error", reject);
    child.once("close", () => resolve());
  });
}

beforeEach(async () => {
  // Makes /run/netns, too.
  outside = await createNetns();
  name = `krtd-${process.pid}-${randomBytes(4).toString("hex")}`;
  seen = [];
});

afterEach(async () => {
  watch.close();
  await netns("del");
  await outside.dispose();
});

function start(what = name): void {
  watch = provider.watch(what, () => seen.push(watch.identity()));
}

const come = (count: number) =>
  waitFor(`${count} changes in ${seen.join()}`, () => seen.length >= count, 3000);

describe("linuxOsProvider().watch()", () => {
  it("tells a namespace that comes and goes, soon", async () => {
    start();
    expect(watch.identity()).toBeNull();
    const begun = performance.now();
    await netns("add");
    await come(1);
    expect(seen[0]).toMatch(/^\d+:\d+$/);
    expect(watch.identity()).toBe(seen[0]);
    await netns("del");
    await come(2);
    expect(performance.now() - begun).toBeLessThan(2500);
    expect(seen).toEqual([seen[0], null]);
  });

  it("does not take a file for a namespace, before nor after the namespace", async () => {
    start();
    const path = `/run/netns/${name}`;
    writeFileSync(path, "");
    expect(watch.identity()).toBeNull();
    rmSync(path);
    await netns("add");
    await come(1);
    expect(seen).toEqual([watch.identity()]);
  });

  it("has another identity for another namespace of the name, for as long as we serve the first", async () => {
    await netns("add");
    start();
    for (let i = 0; i < 5; i++) {
      const os = provider.create(name);
      await os.open();
      const first = watch.identity();
      await netns("del");
      await netns("add");
      const second = watch.identity();
      expect([first, null]).not.toContain(second);
      await waitFor("the other one is told", () => seen.at(-1) === second, 3000);
      await os.close();
    }
  });

  it("has the same identity by name and by path, and another one for another namespace", async () => {
    await netns("add");
    start();
    const byPath = provider.watch(`/run/netns/${name}`, () => {});
    const other = provider.watch(outside.name, () => {});
    try {
      expect(byPath.identity()).toBe(watch.identity());
      expect(other.identity()).not.toBe(watch.identity());
      expect(other.identity()).not.toBeNull();
    } finally {
      byPath.close();
      other.close();
    }
  });

  it("watches the namespace of a process by its path, where no event tells of its end", async () => {
    const child = spawn("ip", ["netns", "exec", outside.name, "cat"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    const closed = new Promise((resolve) => child.once("close", resolve));
    start(`/proc/${child.pid}/ns/net`);
    try {
      const inside = provider.watch(outside.name, () => {});
      await waitFor("the process is inside", () => watch.identity() === inside.identity());
      inside.close();
    } finally {
      child.stdin.end();
      await closed;
    }
    await waitFor("its end is told", () => seen.at(-1) === null, 3000);
  });

  it("is silent once closed", async () => {
    start();
    watch.close();
    await netns("add");
    const other = provider.watch(name, () => {});
    await waitFor("the namespace is there", () => other.identity() !== null);
    other.close();
    expect(seen).toEqual([]);
  });
});
