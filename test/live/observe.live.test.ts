/** --observe: everything but writing, for everybody. It says of each route what it would have to do. */

import { execFileSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { KernelRouteJson } from "../../src/control/json.ts";
import { asNobody } from "../support/as-nobody.ts";
import { configText, FAMILIES, foreignLines, ownLines } from "../support/families.ts";
import { startKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, type Netns, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const WHY = "observe mode: krtd writes nothing";

describe.each([
  ["nobody", asNobody("-all")],
  ["root", []],
])("krtd --observe as %s", (_who, wrapper) => {
  it("sees and tells everything and writes nothing", async () => {
    await using ns = await createTopology();
    await settled(ns);
    for (const { flag, net, gateway, otherGateway } of FAMILIES) {
      await ns.ip(`${flag} route add ${net(1)} via ${gateway} metric 32 proto 120`);
      await ns.ip(`${flag} route add ${net(2)} via ${otherGateway} metric 32 proto 120`);
      await ns.ip(`${flag} route add ${net(3)} via ${gateway} metric 32 proto 120`);
      await ns.ip(`${flag} route add ${net(4)} via ${gateway} metric 32 proto static`);
    }
    const everything = async (): Promise<string[]> =>
      [await ownLines(ns, "-4"), await ownLines(ns, "-6"), await foreignLines(ns)].flat();
    const before = await everything();
    // There as wanted; there but different; stale and so not in the list; held by a rival; missing.
    const routes = (i: 0 | 1) =>
      [1, 2, 4, 5].map((n) => ({ prefix: FAMILIES[i]!.net(n), via: FAMILIES[i]!.gateway }));
    const config = configText({ 4: routes(0), 6: routes(1) }, { scanTime: "200ms", kernel: { learn: true } });
    await using monitor = await monitorRoutes(ns);
    await using krtd = await startSynced(ns, config, { wrapper, open: true, args: ["--observe"] });
    await krtd.scan();
    expect(await krtd.status()).toMatchObject({ observe: true, state: "in-sync" });
    for (const { net } of FAMILIES) {
      const kernelOf = async (i: number) => (await krtd.route(net(i))).kernel;
      expect(await kernelOf(1)).toMatchObject({ state: "synced", message: null });
      expect(await kernelOf(2)).toMatchObject({ state: "pending", message: WHY });
      expect(await kernelOf(5)).toMatchObject({ state: "pending", message: WHY });
      const rival = `unicast ${net(4)} proto static metric 32`;
      expect(await kernelOf(4)).toMatchObject({ state: "failed", message: `Key held by ${rival}` });
    }

    // It follows what happens, too: the next scan sees the missing route.
    for (const { flag, net, gateway } of FAMILIES) {
      await ns.ip(`${flag} route add ${net(5)} via ${gateway} metric 32 proto 120`);
      const state = async (): Promise<string> => (await krtd.route(net(5))).kernel.state;
      await waitFor("the new route is seen", async () => (await state()) === "synced");
      await ns.ip(`${flag} route del ${net(5)} metric 32`);
      await waitFor("its end is seen", async () => (await state()) === "pending");
    }
    expect(await krtd.writes()).toBe(0);
    expect(await krtd.stop()).toBe(0);
    const own = [5].flatMap((i) => FAMILIES.map(({ net }) => net(i)));
    const others = (await monitor.events()).filter((line) => !own.some((prefix) => line.includes(prefix)));
    expect(others).toEqual([]);
    expect(await everything()).toEqual(before);
  });
});

/** In both families: one there as wanted, one different, one missing; and one that nobody wants. */
async function prepare(ns: Netns): Promise<void> {
  for (const { flag, net, gateway, otherGateway } of FAMILIES) {
    await ns.ip(`${flag} route add ${net(1)} via ${gateway} metric 32 proto 120`);
    await ns.ip(`${flag} route add ${net(2)} via ${otherGateway} metric 32 proto 120`);
    await ns.ip(`${flag} route add ${net(3)} via ${gateway} metric 32 proto 120`);
  }
}

function wanted(numbers: readonly number[], options: Parameters<typeof configText>[1] = {}): string {
  const routes = (i: 0 | 1) =>
    numbers.map((n) => ({ prefix: FAMILIES[i]!.net(n), via: FAMILIES[i]!.gateway }));
  return configText({ 4: routes(0), 6: routes(1) }, options);
}

/** Types of the netlink messages that were sent, as strace names them; null on a machine without strace. */
function tracer(file: string): readonly string[] | null {
  try {
    execFileSync("strace", ["-V"], { stdio: "ignore" });
  } catch {
    return null;
  }
  // -D: the process that is started is krtd, and strace its grandchild.
  return ["strace", "-D", "-f", "-e", "trace=sendto,sendmsg,sendmmsg,write,writev", "-o", file];
}

describe("what krtd --observe is asked", () => {
  it("is answered: kernel, diff, explain, drift, plan, and configure is applied", async () => {
    await using ns = await createTopology();
    await settled(ns);
    await prepare(ns);
    await using monitor = await monitorRoutes(ns);
    await using krtd = await startSynced(ns, wanted([1, 2, 4]), { args: ["--observe"] });
    for (const { net } of FAMILIES) {
      const verdict = async (n: number) => {
        const path = `/v1/kernel?prefix=${encodeURIComponent(net(n))}`;
        return (await krtd.get<KernelRouteJson[]>(path)).map((route) => [route.class, route.verdict]);
      };
      expect(await verdict(1)).toEqual([["ours", "seen"]]);
      expect(await verdict(2)).toEqual([["ours", "update"]]);
      expect(await verdict(3)).toEqual([["ours", "delete"]]);
      const explained = await krtd.ctl("explain", net(4));
      expect(explained.stdout).toContain("not installed");
      expect(explained.stdout.toLowerCase()).toContain("observe mode");
    }
    const diff = await krtd.ctl("diff", "--json");
    expect(diff.code).toBe(5);
    const ops = (JSON.parse(diff.stdout) as { op: string; dst: string }[]).map(({ op, dst }) => [op, dst]);
    const expected = FAMILIES.flatMap(({ net }) => [
      ["replace", net(2)],
      ["delete", net(3)],
      ["add", net(4)],
    ]);
    expect(ops.sort()).toEqual(expected.sort());

    // What others do is told as drift, and left.
    await using _ignored = monitor;
    for (const { flag, net } of FAMILIES) {
      await ns.ip(`${flag} route del ${net(1)} metric 32`);
      await waitFor("it is noticed", async () => (await krtd.route(net(1))).kernel.state === "pending");
    }
    const drift =
      await krtd.get<{ prefix: string; dst: string; kind: string; reaction: string }[]>("/v1/drift");
    expect(drift.map(({ kind, reaction }) => [kind, reaction])).toEqual([
      ["deleted", "left"],
      ["deleted", "left"],
    ]);
    expect((await krtd.ctl("plan")).code).toBe(0);
    await krtd.configure(wanted([1, 3]));
    for (const { net } of FAMILIES) {
      // Without being asked: scan-time is 0.
      await waitFor("it is found", async () => (await krtd.route(net(3))).kernel.state === "synced");
    }
    expect(await krtd.writes()).toBe(0);
    const stopping = await krtd.ctl("shutdown");
    expect(stopping).toMatchObject({ code: 0 });
    expect(stopping.stdout).toBe("krtd is stopping: it only observed, so nothing changes in the kernel\n");
    expect(await krtd.exited).toBe(0);
    const touched = await monitor.events();
    expect(touched.filter((line) => !FAMILIES.some(({ net }) => line.includes(` ${net(1)} `)))).toEqual([]);
    expect(touched).toHaveLength(2);
  });

  it("by SIGHUP is done: the file is read again", async () => {
    await using ns = await createTopology();
    await prepare(ns);
    await using krtd = await startSynced(ns, wanted([1]), { args: ["--observe"] });
    await writeFile(join(krtd.directory, "krt.yaml"), wanted([1, 3, 9]));
    krtd.signal("SIGHUP");
    await waitFor("the new routes", async () => (await krtd.routes()).length === 6);
    const [v4] = FAMILIES;
    await waitFor("one is there", async () => (await krtd.route(v4!.net(3))).kernel.state === "synced");
    expect((await krtd.route(v4!.net(9))).kernel.state).toBe("pending");
    await writeFile(join(krtd.directory, "krt.yaml"), "nonsense: true\n");
    krtd.signal("SIGHUP");
    await waitFor("it is refused", async () => (await krtd.status()).config.ok === false);
    expect(await krtd.routes()).toHaveLength(6);
    expect(await krtd.writes()).toBe(0);
    expect(await krtd.stop()).toBe(0);
  });
});

describe("krtd --observe in every situation in which it would write", () => {
  it("sends the kernel questions and nothing else", async () => {
    await using ns = await createTopology();
    await using away = await createTopology();
    await prepare(ns);
    await prepare(away);
    const trace = join("/tmp", `${ns.name}.strace`);
    const root = {
      tables: { blue4: { family: "ipv4" as const }, away4: { family: "ipv4" as const } },
      kernel: {
        kernel4: { learn: true, "scan-time": "100ms" },
        kernel6: { table: "master6", "scan-time": "100ms" },
        blue: { table: "blue4", "kernel-table": 100, "scan-time": "100ms" },
        away: { table: "away4", netns: away.name, "scan-time": "100ms" },
      },
      pipe: { pipe1: { "peer-table": "blue4" } },
    };
    const wrapper = tracer(trace) ?? [];
    await using monitorHere = await monitorRoutes(ns);
    await using monitorAway = await monitorRoutes(away);
    await using krtd = await startKrtd(ns, wanted([1, 2, 4], { root }), { wrapper, args: ["--observe"] });
    // Under strace it takes its time.
    await krtd.synced(30_000);
    const theirs = new Set<string>();
    for (const { flag, net, gateway, otherGateway } of FAMILIES) {
      // Drift of every kind, a route to learn, a redirect, a link that goes and comes.
      for (const command of [
        `del ${net(1)} metric 32`,
        `add ${net(1)} via ${otherGateway} metric 32 proto 120`,
        `add ${net(7)} via ${gateway} metric 9 proto static`,
        `add ${net(8)} via ${gateway} metric 9 proto redirect`,
        `append ${net(3)} via ${otherGateway} metric 32 proto 120`,
      ]) {
        await ns.ip(`${flag} route ${command}`);
        theirs.add(command);
      }
    }
    await waitFor("it is learned", async () => (await krtd.routes("prefix=198.18.7.0/24")).length === 2);
    const before = (await monitorHere.events()).length;
    await krtd.scan();
    await krtd.act("restart", "kernel4");
    await krtd.act("disable", "blue");
    await krtd.configure(wanted([4, 5], { root }));
    await krtd.act("reload", "kernel6");
    await krtd.act("enable", "blue");
    await krtd.scan();
    await ns.ip("link set v1 down");
    await ns.ip("link set v1 up");
    await krtd.scan();
    expect(await krtd.writes()).toBe(0);
    expect(await krtd.stop()).toBe(0);
    // What the kernel does to routes because of the link is marked "proto kernel", and left out.
    expect((await monitorHere.events()).slice(before)).toEqual([]);
    expect(await monitorAway.events()).toEqual([]);
    expect(krtd.logged("in sync")).toMatchObject({ writes: 0 });
    if (wrapper.length === 0) return;
    await waitFor("strace has ended", async () => /\+\+\+ exited with 0/.test(await readFile(trace, "utf8")));
    const text = await readFile(trace, "utf8");
    await rm(trace);
    const types = [...text.matchAll(/nlmsg_type=([A-Z_0-9x]+)/g)].map(([, type]) => type ?? "");
    expect(types.length).toBeGreaterThan(20);
    // By number where strace does not know what a socket is for: those of the other namespace.
    const questions = new Set(["NLMSG_NOOP", "RTM_GETADDR", "RTM_GETLINK", "RTM_GETROUTE"]);
    for (const number of [0x1, 0x12, 0x16, 0x1a]) questions.add(`0x${number.toString(16)}`);
    expect([...new Set(types)].filter((type) => !questions.has(type))).toEqual([]);
  });
});
