import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RouteJson } from "../../src/control/json.ts";
import { KERNEL_STATES } from "../../src/control/query.ts";
import { SORTED_NODES } from "../../src/control/route-query.ts";
import { parseIp } from "../../src/lib/ip.ts";
import { formatPrefix, prefixContains } from "../../src/lib/prefix.ts";
import { makeRouter, prefixOf, type Router, startRouter } from "../support/control-fixture.ts";
import { ask } from "../support/http-unix.ts";

/** Short prefixes of few addresses, so that nets nest and filters hit. */
const net4 = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 12 }))
  .map(([byte, length]) => {
    const word = (byte << 20) & (length === 0 ? 0 : -1 << (32 - length));
    return formatPrefix(4, word, 0, 0, 0, length);
  });

const route = fc.record({
  dst: net4,
  protocol: fc.constantFrom("uplinks", "kernel4", "more"),
  via: fc.constantFrom("192.0.2.1", "192.0.2.2"),
  device: fc.constantFrom(2, 3),
  blackhole: fc.boolean(),
  state: fc.constantFrom(...KERNEL_STATES),
});

const selector = fc.record(
  {
    protocol: fc.constantFrom("uplinks", "kernel4", "more"),
    via: fc.constantFrom("192.0.2.1", "192.0.2.2"),
    dev: fc.constantFrom("eth0", "eth1"),
    type: fc.constantFrom("unicast", "blackhole"),
    state: fc.constantFrom(...KERNEL_STATES),
    all: fc.constant("true"),
  },
  { requiredKeys: [] },
);

const lookup = fc.oneof(
  fc.constant({}),
  fc.record({ prefix: net4 }),
  fc.record({ in: net4 }),
  fc.record({ for: fc.integer({ min: 0, max: 255 }).map((b) => `${b >> 4}.${(b & 15) << 4}.1.2`) }),
);

/** What the answer must be, from the unfiltered list, by the obvious rules. */
function reference(everything: readonly RouteJson[], asked: Readonly<Record<string, string>>): RouteJson[] {
  let shown = everything.filter((r) => asked["all"] === "true" || r.best);
  if (asked["prefix"] !== undefined) shown = shown.filter((r) => r.dst === asked["prefix"]);
  if (asked["in"] !== undefined) {
    const outer = prefixOf(asked["in"]);
    shown = shown.filter((r) => prefixContains(outer, prefixOf(r.dst)));
  }
  if (asked["for"] !== undefined) {
    const address = { ...parseIp(asked["for"])!, length: 32 };
    const holding = everything.map((r) => prefixOf(r.dst)).filter((p) => prefixContains(p, address));
    const longest = Math.max(...holding.map((p) => p.length));
    shown = shown.filter(
      (r) => prefixOf(r.dst).length === longest && prefixContains(prefixOf(r.dst), address),
    );
  }
  return shown.filter(
    (r) =>
      (asked["protocol"] === undefined || r.source === asked["protocol"]) &&
      (asked["via"] === undefined || r.gateway === asked["via"]) &&
      (asked["dev"] === undefined || r.dev === asked["dev"]) &&
      (asked["type"] === undefined || r.type === asked["type"]) &&
      (asked["state"] === undefined || r.kernel.state === asked["state"]),
  );
}

async function routerWithEth1(): Promise<Router> {
  const router = await makeRouter();
  const link = router.interfaces.byIndex(3)!;
  router.interfaces.link({ ...link, name: "eth1" });
  await router.add("more", "static", [router.master4]);
  return router;
}

describe("GET /v1/routes", () => {
  it("answers any selectors as a filter over the whole list would", async () => {
    const oneCase = async (
      routes: readonly (typeof route extends fc.Arbitrary<infer T> ? T : never)[],
      asked: Readonly<Record<string, string>>,
    ): Promise<void> => {
      const router = await routerWithEth1();
      for (const { dst, protocol, via, device, blackhole, state } of routes) {
        const words = blackhole ? { type: "blackhole" as const } : { hops: [{ via, device }] };
        const node = router.route(protocol, dst, { ...words, metric: 10 });
        router.kernel4.statuses.set(node, { state });
      }
      const running = await startRouter(router);
      try {
        const everything = JSON.parse((await ask(running.path, "/v1/routes?all&table=master4")).text);
        expect(everything).toHaveLength(router.master4.routeCount);
        const query = new URLSearchParams({ ...asked, table: "master4" });
        const answer = await ask(running.path, `/v1/routes?${query}`);
        const expected = reference(everything, asked);
        const count = await ask(running.path, `/v1/routes?${query}&count`);
        if (answer.status === 404) {
          expect(asked["prefix"] ?? asked["for"]).toBeDefined();
          expect(expected).toEqual([]);
          return;
        }
        expect(JSON.parse(answer.text)).toEqual(expected);
        expect(JSON.parse(count.text)).toEqual({ count: expected.length });
      } finally {
        await running.stop();
      }
    };
    await fc.assert(
      fc.asyncProperty(fc.array(route, { maxLength: 40 }), selector, lookup, (routes, filters, where) =>
        oneCase(routes, { ...filters, ...where } as Record<string, string>),
      ),
      { numRuns: 150 },
    );
  });

  it("shows small tables in order of prefix", async () => {
    const router = await makeRouter();
    for (const dst of ["200.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16", "0.0.0.0/0", "9.0.0.0/8"]) {
      router.route("uplinks", dst, { type: "blackhole" });
    }
    for (const dst of ["2001:db8::/32", "::/0", "2001:db8::/48"]) {
      router.route("uplinks6", dst, { type: "blackhole" });
    }
    const running = await startRouter(router);
    const routes = JSON.parse((await ask(running.path, "/v1/routes")).text) as RouteJson[];
    await running.stop();
    expect(routes.map(({ dst }) => dst)).toEqual([
      "0.0.0.0/0",
      "9.0.0.0/8",
      "10.0.0.0/8",
      "10.0.0.0/16",
      "200.0.0.0/8",
      "::/0",
      "2001:db8::/32",
      "2001:db8::/48",
    ]);
  });

  it.each([
    ["synced", 0, 0],
    ["synced", 32, 32],
    ["none", 0, null],
  ] as const)("tells a kernel metric of 0 from none at all: %s, %i", async (state, metric, told) => {
    const router = await makeRouter();
    const node = router.route("uplinks", "10.0.0.0/8", { type: "blackhole" });
    router.kernel4.statuses.set(node, { state, metric });
    const running = await startRouter(router);
    const [route] = JSON.parse((await ask(running.path, "/v1/routes?table=master4")).text) as RouteJson[];
    await running.stop();
    expect(route?.kernel.metric).toBe(told);
  });

  it("shows nets that last exactly once while others come and go", async () => {
    const router = await makeRouter();
    const channel = router.channels.get("uplinks")!;
    const address = (i: number): number => (0x0a000000 + (i << 8)) | 0;
    const total = SORTED_NODES * 2;
    for (let i = 0; i < total; i++) {
      channel.importRoute(address(i), 0, 0, 0, 24, router.intern({ type: "blackhole" }), 0);
    }
    const running = await startRouter(router);
    let churn = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < 500; i++, churn++) {
        channel.withdrawRoute(address((churn * 2 + 1) % total), 0, 0, 0, 24);
        channel.importRoute(address(total + churn), 0, 0, 0, 24, router.intern({ type: "blackhole" }), 0);
      }
    }, 0);
    const answer = await ask(running.path, "/v1/routes?table=master4");
    clearInterval(timer);
    await running.stop();
    expect(churn).toBeGreaterThan(0);
    const seen = new Map<string, number>();
    for (const { dst } of JSON.parse(answer.text) as RouteJson[]) seen.set(dst, (seen.get(dst) ?? 0) + 1);
    for (let i = 0; i < total; i += 2) {
      expect(seen.get(formatPrefix(4, address(i), 0, 0, 0, 24))).toBe(1);
    }
  });
});
