import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { differenceWords } from "../../src/control/diff-words.ts";
import type { DiffJson } from "../../src/control/explain-json.ts";
import type { AnyRouteJson } from "../../src/control/json.ts";
import { REJECT_ALL } from "../../src/nest/filter.ts";
import { ip, OWN } from "../proto/kernel/fixture.ts";
import type { AttrsText } from "../support/draft.ts";
import { type ExplainRig, explainRig } from "../support/explain-rig.ts";
import { settle } from "../support/fake-clock.ts";
import { ask } from "../support/http-unix.ts";

/** 10.2.0.0 */
const TEN_TWO = (10 << 24) | (2 << 16);
const GATEWAY: AttrsText = { nexthops: [{ via: "10.0.0.2" }] };

/** "add 10.1.0.0/16 32": the metric is that of the kernel's route where there is one. */
function lines(diff: readonly DiffJson[]): string[] {
  return diff.map(({ op, dst, wanted, kernel }) => `${op} ${dst} ${(kernel ?? wanted)?.metric ?? 0}`).sort();
}

interface KernelRoute {
  readonly prefix: string;
  readonly protocol: number;
  readonly metric: number;
  /** Null: a blackhole. */
  readonly gateway: string | null;
}

function put(rig: ExplainRig, { prefix, protocol, metric, gateway }: KernelRoute): number {
  const way = gateway === null ? { type: 6 } : { nexthops: [{ gateway: ip(gateway), device: 0 }] };
  return rig.foreign({ op: "append", prefix, protocol, metric, ...way });
}

describe("diff", () => {
  it("is empty when the kernel has what is wanted", async () => {
    await using rig = await explainRig();
    rig.want("10.1.0.0/16", GATEWAY);
    rig.want("10.2.0.0/16", { type: "blackhole" });
    await rig.start();
    expect(await rig.diff()).toEqual([]);
  });

  it("does not count learned and foreign routes", async () => {
    await using rig = await explainRig({ learn: true });
    put(rig, { prefix: "10.1.0.0/16", protocol: 4, metric: 5, gateway: "10.0.0.9" });
    rig.want("10.1.0.0/16", GATEWAY);
    put(rig, { prefix: "10.2.0.0/16", protocol: 11, metric: 5, gateway: "10.0.0.9" });
    await rig.start();
    expect(await rig.diff()).toEqual([]);
  });

  it("tells what waits, and why", async () => {
    await using rig = await explainRig();
    rig.want("10.1.0.0/16", { nexthops: [{ via: "10.9.0.2" }] });
    await rig.start();
    expect(await rig.diff()).toMatchObject([
      {
        op: "add",
        table: 254,
        dst: "10.1.0.0/16",
        wanted: {
          table: "t",
          dst: "10.1.0.0/16",
          type: "unicast",
          gateway: "10.9.0.2",
          metric: 32,
          source: "source",
          "source-type": "static",
          kernel: { state: "waiting" },
        },
        kernel: null,
        reason:
          "Nexthop has invalid gateway (ENETUNREACH); tried again when an interface, an address or a route changes",
      },
    ]);
  });

  it("tells what a rival keeps out", async () => {
    await using rig = await explainRig();
    put(rig, { prefix: "10.1.0.0/16", protocol: 4, metric: 32, gateway: "10.0.0.9" });
    rig.want("10.1.0.0/16", GATEWAY);
    await rig.start();
    const [difference, ...others] = await rig.diff();
    expect(others).toEqual([]);
    expect(difference).toMatchObject({
      op: "add",
      reason: "Key held by unicast 10.1.0.0/16 proto static metric 32 (EEXIST)",
    });
  });

  it("shows all that would be written while observing", async () => {
    await using rig = await explainRig({ observe: true });
    rig.want("10.1.0.0/16", GATEWAY);
    rig.want("10.2.0.0/16", GATEWAY);
    rig.want("10.4.0.0/16", GATEWAY, 50);
    put(rig, { prefix: "10.2.0.0/16", protocol: OWN, metric: 32, gateway: "10.0.0.9" });
    put(rig, { prefix: "10.3.0.0/16", protocol: OWN, metric: 32, gateway: "10.0.0.9" });
    put(rig, { prefix: "10.4.0.0/16", protocol: OWN, metric: 32, gateway: "10.0.0.2" });
    await rig.start();
    const diff = await rig.diff();
    expect(lines(diff)).toEqual([
      "add 10.1.0.0/16 32",
      "add 10.4.0.0/16 50",
      "delete 10.3.0.0/16 32",
      "delete 10.4.0.0/16 32",
      "replace 10.2.0.0/16 32",
    ]);
    const reasons = new Map(diff.map(({ op, dst, reason }) => [`${op} ${dst}`, reason]));
    expect(reasons.get("add 10.1.0.0/16")).toBe("observe mode: krtd writes nothing");
    expect(reasons.get("replace 10.2.0.0/16")).toBe(
      "via 10.0.0.9 instead of via 10.0.0.2; observe mode: krtd writes nothing",
    );
    expect(reasons.get("delete 10.3.0.0/16")).toBe("nobody wants it any more");
    expect(reasons.get("delete 10.4.0.0/16")).toBe("wanted at metric 50, and stays until that is there");
    expect(diff.find(({ op }) => op === "replace")).toMatchObject({
      wanted: { gateway: "10.0.0.2", metric: 32 },
      kernel: { gateway: "10.0.0.9", dev: "v0", metric: 32, class: "ours", verdict: "update" },
    });
    expect(rig.writes()).toEqual([]);
  });

  it("notices what went without a word, and asks the kernel twice", async () => {
    await using rig = await explainRig();
    rig.os.faults.withoutMonitor = true;
    for (const net of ["10.1.0.0/16", "10.2.0.0/16"]) rig.want(net, GATEWAY);
    await rig.start();
    expect(rig.foreign({ op: "delete", prefix: "10.1.0.0/16", metric: 32 })).toBe(0);
    expect(await rig.diff()).toMatchObject([
      {
        op: "add",
        dst: "10.1.0.0/16",
        reason: "gone from the kernel since krtd wrote it; the next scan puts it back",
      },
    ]);
    const whole = rig.protocol.dump.bind(rig.protocol);
    let dumps = 0;
    // As an IPv6 dump may, the first leaves out a route that is there all the while.
    rig.protocol.dump = (onRoute) => {
      const first = dumps++ === 0;
      return whole((route) => {
        if (!first || route.prefix.w0 !== TEN_TWO) onRoute(route);
      });
    };
    expect(lines(await rig.diff())).toEqual(["add 10.1.0.0/16 32"]);
    expect(dumps).toBe(2);
  });

  it("does not miss what is written while the dump runs", async () => {
    await using rig = await explainRig();
    rig.want("10.1.0.0/16", GATEWAY);
    await rig.start();
    const whole = rig.protocol.dump.bind(rig.protocol);
    rig.protocol.dump = async (onRoute) => {
      const problem = await whole(onRoute);
      rig.want("10.2.0.0/16", GATEWAY);
      rig.want("10.1.0.0/16", GATEWAY, 50);
      await settle();
      return problem;
    };
    expect(await rig.diff()).toEqual([]);
    expect(rig.shown()).toHaveLength(2);
  });

  it("calls what is under way so", async () => {
    await using rig = await explainRig();
    rig.want("10.1.0.0/16", GATEWAY);
    rig.want("10.2.0.0/16", GATEWAY);
    await rig.start();
    const held = rig.os.writeRoutes.bind(rig.os);
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    rig.os.writeRoutes = async (batch) => {
      await gate;
      return held(batch);
    };
    rig.want("10.1.0.0/16", { nexthops: [{ via: "10.0.0.3" }] });
    rig.unwant("10.2.0.0/16");
    rig.want("10.3.0.0/16", GATEWAY);
    const diff = await rig.diff();
    expect(diff.map(({ op, dst, reason }) => `${op} ${dst}: ${reason}`).sort()).toEqual([
      "add 10.3.0.0/16: being written",
      "delete 10.2.0.0/16: being deleted",
      "replace 10.1.0.0/16: being written",
    ]);
    release();
    await settle();
    expect(await rig.diff()).toEqual([]);
  });

  it("leaves routes with krtd's number alone where nothing is exported", async () => {
    await using rig = await explainRig({ export: REJECT_ALL });
    put(rig, { prefix: "10.3.0.0/16", protocol: OWN, metric: 32, gateway: "10.0.0.9" });
    await rig.start();
    expect(await rig.diff()).toEqual([]);
  });

  it("says which routes still have a former number of krtd's", async () => {
    await using rig = await explainRig({ former: [77], observe: true });
    rig.want("10.1.0.0/16", GATEWAY);
    put(rig, { prefix: "10.1.0.0/16", protocol: 77, metric: 32, gateway: "10.0.0.2" });
    await rig.start();
    expect((await rig.diff())[0]?.reason).toContain("it has protocol 77, a former number of krtd's");
  });

  it("names the network namespace of a kernel table elsewhere", async () => {
    await using rig = await explainRig({ netns: "blue", observe: true });
    rig.want("10.1.0.0/16", GATEWAY);
    put(rig, { prefix: "10.3.0.0/16", protocol: OWN, metric: 32, gateway: "10.0.0.9" });
    await rig.start();
    expect(await rig.diff()).toMatchObject([
      { op: "delete", netns: "blue", table: 254, kernel: { netns: "blue", dst: "10.3.0.0/16" } },
      { op: "add", netns: "blue", table: 254 },
    ]);
    const shown = (await rig.explain("10.3.0.0/16"))["kernel-routes"];
    expect(shown).toMatchObject([{ netns: "blue", class: "ours", verdict: "delete" }]);
  });

  it.each([
    ["t", 200],
    ["main", 200],
    ["254", 200],
    ["blue", 404],
    ["nope", 404],
    ["", 400],
  ])("?table=%s answers %i", async (table, status) => {
    await using rig = await explainRig();
    await rig.start();
    expect((await ask(rig.path, `/v1/diff?table=${table}`)).status).toBe(status);
  });

  it("does not compare with a protocol that is down", async () => {
    await using rig = await explainRig();
    await rig.start();
    rig.entries[0] = { ...rig.entries[0]!, disabled: true, state: "down" };
    expect(await rig.diff()).toEqual([]);
    const answer = await ask(rig.path, "/v1/diff?table=t");
    expect(answer.status).toBe(409);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: "not-up", hint: "krtctl enable k" } });
  });

  it("answers 503 when the kernel cannot be read completely", async () => {
    await using rig = await explainRig();
    rig.want("10.1.0.0/16", GATEWAY);
    await rig.start();
    rig.os.faults.injectIncompleteScan();
    const answer = await ask(rig.path, "/v1/diff");
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: "incomplete-dump" } });
  });
});

const prefix = fc.constantFrom("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16");
const metric = fc.constantFrom(32, 50);
const gateway = fc.constantFrom("10.0.0.2", "10.0.0.3", null);
const wish = fc.record({ prefix, metric, gateway });
const shown = fc.record({ prefix, metric, gateway, protocol: fc.constantFrom(OWN, OWN, 4) });

function wants(
  rig: ExplainRig,
  wishes: readonly { prefix: string; metric: number; gateway: string | null }[],
): void {
  for (const { prefix: net, metric: at, gateway: via } of wishes) {
    rig.want(net, via === null ? { type: "blackhole" } : { nexthops: [{ via }] }, at);
  }
}

describe("diff, for any wishes and any kernel", () => {
  const unique = { selector: ({ prefix: net }: { prefix: string }) => net };
  const uniqueKey = {
    selector: (route: { prefix: string; metric: number }) => `${route.prefix} ${route.metric}`,
  };

  it("tells while observing just what a plain rule of three says", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(wish, unique),
        fc.uniqueArray(shown, uniqueKey),
        async (wishes, routes) => {
          await using rig = await explainRig({ observe: true });
          wants(rig, wishes);
          for (const route of routes) put(rig, route);
          await rig.start();
          expect(lines(await rig.diff())).toEqual(expected(wishes, routes));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is empty once krtd has written, but for what it must not overwrite", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(wish, unique),
        fc.uniqueArray(shown, uniqueKey),
        async (wishes, routes) => {
          await using rig = await explainRig();
          wants(rig, wishes);
          for (const route of routes) put(rig, route);
          await rig.start();
          const held = wishes.filter((want) =>
            routes.some((route) => route.protocol !== OWN && sameKey(route, want)),
          );
          // So that there is no hole, a route at an old metric stays until the one at the new metric is there.
          const left = routes.filter(
            (route) => route.protocol === OWN && held.some((want) => want.prefix === route.prefix),
          );
          const adds = held.map(({ prefix: net, metric: at }) => `add ${net} ${at}`);
          const deletes = left.map(({ prefix: net, metric: at }) => `delete ${net} ${at}`);
          expect(lines(await rig.diff())).toEqual([...adds, ...deletes].sort());
        },
      ),
      { numRuns: 60 },
    );
  });
});

interface Key {
  readonly prefix: string;
  readonly metric: number;
}

function sameKey(a: Key, b: Key): boolean {
  return a.prefix === b.prefix && a.metric === b.metric;
}

function expected(
  wishes: readonly (Key & { readonly gateway: string | null })[],
  routes: readonly KernelRoute[],
): string[] {
  const own = routes.filter(({ protocol }) => protocol === OWN);
  const found: string[] = [];
  for (const want of wishes) {
    const there = own.find((route) => sameKey(route, want));
    if (there === undefined) found.push(`add ${want.prefix} ${want.metric}`);
    else if (there.gateway !== want.gateway) found.push(`replace ${want.prefix} ${want.metric}`);
  }
  for (const route of own) {
    if (!wishes.some((want) => sameKey(want, route))) found.push(`delete ${route.prefix} ${route.metric}`);
  }
  return found.sort();
}

describe("the words for a difference", () => {
  const route: AnyRouteJson = { dst: "10.0.0.0/8", type: "unicast", gateway: "10.0.0.2", flags: [] };

  it.each<[string, Partial<AnyRouteJson>, Partial<AnyRouteJson>, string]>([
    ["a gateway", {}, { gateway: "10.0.0.3" }, "via 10.0.0.3 instead of via 10.0.0.2"],
    ["a device nobody asked for", {}, { dev: "v0" }, ""],
    ["a device", { dev: "v0" }, { dev: "v1" }, "via 10.0.0.2 dev v1 instead of via 10.0.0.2 dev v0"],
    [
      "the type",
      {},
      { type: "blackhole" },
      "type blackhole instead of type unicast, no nexthop instead of via 10.0.0.2",
    ],
    ["onlink", { flags: ["onlink"] }, {}, "via 10.0.0.2 instead of via 10.0.0.2 onlink"],
    ["an mtu that is missing", { mtu: 1400 }, {}, "no mtu instead of mtu 1400"],
    ["an mtu too much", {}, { mtu: 1400 }, "mtu 1400 instead of no mtu"],
    ["other metrics", { metrics: { advmss: 1 } }, { metrics: { advmss: 2 } }, "advmss 2 instead of advmss 1"],
    ["several", { mtu: 1, realm: 5 }, { mtu: 2 }, "mtu 2 instead of mtu 1, no realm instead of realm 5"],
    [
      "nexthops, in any order",
      { nexthops: [nexthop("10.0.0.2", 1), nexthop("10.0.0.3", 2)] },
      { nexthops: [nexthop("10.0.0.3", 2), nexthop("10.0.0.2", 1)] },
      "",
    ],
    ["the nexthops of a type that has none", { type: "blackhole" }, { type: "blackhole", dev: "lo" }, ""],
    [
      "what is not understood",
      {},
      { opaque: true },
      "something krtd does not understand instead of no extras",
    ],
  ])("%s", (_what, wanted, kernel, words) => {
    expect(differenceWords({ ...route, ...wanted }, { ...route, ...kernel })).toBe(words);
  });
});

function nexthop(gatewayText: string, weight: number) {
  return { gateway: gatewayText, weight, flags: [] };
}
