import { chmodSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { asNobody, NET_ADMIN_ALONE, NOBODY } from "../support/as-nobody.ts";
import { makeDirectory, runKrtd, startKrtd, startSynced } from "../support/krtd.ts";
import { createNetns, type Netns, waitFor } from "../support/netns.ts";
import { bindNotifySocket } from "../support/notify-socket.ts";

const YAML = `
kernel:
  kernel4: {table: master4, kernel-table: 1000}
static:
  docs: {table: master4, routes: [{prefix: 192.0.2.0/24, type: blackhole}]}
`;

let ns: Netns;
let directory: string;

beforeEach(async () => {
  ns = await createNetns();
  directory = await makeDirectory();
  chmodSync(directory, 0o1777);
});
afterEach(async () => {
  await ns.dispose();
  rmSync(directory, { recursive: true });
});

/** What the kernel has in table 1000; a table that nobody ever wrote to does not exist, which is an error to ip. */
const routes = async (): Promise<string> => (await ns.tryIp("route show table 1000")).stdout;

describe("krtd under a service manager", () => {
  it("says READY when the routes are in the kernel, feeds the watchdog, and says STOPPING", async () => {
    using systemd = bindNotifySocket(join(directory, "notify"));
    const env = { NOTIFY_SOCKET: systemd.name, WATCHDOG_USEC: "200000" };
    await using krtd = await startKrtd(ns, YAML, { directory, env });
    await waitFor("READY=1", () => systemd.received().some((text) => text.startsWith("READY=1\n")));
    expect(await routes()).toContain("blackhole 192.0.2.0/24");
    const fed = (): number => systemd.received().filter((text) => text === "WATCHDOG=1").length;
    await waitFor("three feeds of the watchdog", () => fed() >= 3);
    expect(await krtd.stop()).toBe(0);
    expect(systemd.received().filter((text) => text.startsWith("READY=1"))).toHaveLength(1);
    expect(systemd.received().filter((text) => text.startsWith("STOPPING=1"))).toHaveLength(1);
    expect(await routes()).toBe("");
  });

  it("gives each line its journal priority when stderr is the journal's stream", async () => {
    // systemd names the device and inode of the stream; here it is the pipe of this test.
    const named = 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"';
    await using krtd = await startSynced(ns, YAML, { directory, wrapper: ["sh", "-c", named, "sh"] });
    await krtd.stop();
    const lines = krtd.log().trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.filter((line) => !/^<6>[^<{]+$/.test(line))).toEqual([]);
  });
});

describe("krtd as a user that is not root", () => {
  it("does all its work with CAP_NET_ADMIN alone", async () => {
    const wrapper = asNobody(NET_ADMIN_ALONE);
    await using krtd = await startSynced(ns, YAML, { directory, wrapper });
    const status = readFileSync(`/proc/${krtd.pid}/status`, "utf8");
    expect(/^Uid:\t(.*)$/m.exec(status)?.[1]).toBe(Array(4).fill(NOBODY).join("\t"));
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      expect(new RegExp(`^${set}:\\t(.*)$`, "m").exec(status)?.[1], set).toBe("0000000000001000");
    }
    expect(statSync(krtd.socket).uid).toBe(NOBODY);
    expect(await routes()).toContain("blackhole 192.0.2.0/24");

    await ns.ip("route del blackhole 192.0.2.0/24 table 1000");
    await krtd.scan();
    expect(await routes()).toContain("blackhole 192.0.2.0/24");
    expect(await krtd.stop()).toBe(0);
    expect(await routes()).toBe("");
  });

  it("ends with code 7 and one sentence without it, and writes nothing", async () => {
    const { code, stderr } = await runKrtd(ns, YAML, { directory, wrapper: asNobody("-all") });
    expect(code).toBe(7);
    expect(stderr).toContain("CAP_NET_ADMIN");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(await routes()).toBe("");
  });

  it("looks without it when told to --observe, and writes nothing", async () => {
    const options = { directory, wrapper: asNobody("-all"), args: ["--observe"] };
    await using krtd = await startSynced(ns, YAML, options);
    expect(await routes()).toBe("");
    expect(await krtd.stop()).toBe(0);
  });
});
