import { describe, expect, it } from "vitest";
import type { KernelRouteJson, RouteJson, StaticRouteJson, TableJson } from "../../src/control/json.ts";
import { parseIp } from "../../src/lib/ip.ts";
import type { ChannelOptions } from "../../src/nest/channel.ts";
import type { Filter } from "../../src/nest/filter.ts";
import { Interfaces } from "../../src/nest/iface.ts";
import { internOrigin, type Origin } from "../../src/nest/origin.ts";
import type { StaticRouteView } from "../../src/nest/protocol.ts";
import { FakeKernel, makeRouter, prefixOf, Router, startRouter } from "../support/control-fixture.ts";
import { ask } from "../support/http-unix.ts";

async function get<T>(router: Router, path: string): Promise<readonly T[]> {
  const running = await startRouter(router);
  try {
    const answer = await ask(running.path, path);
    expect(answer.status, answer.text).toBe(200);
    return JSON.parse(answer.text) as T[];
  } finally {
    await running.stop();
  }
}

const WAY = { hops: [{ via: "192.0.2.1", device: 2 }] };

describe("a route", () => {
  it.each<[Origin, object, string]>([
    [
      { protocol: 11, recursive: false, connected: false, trail: [] },
      { protocol: "zebra", "protocol-id": 11 },
      "learned",
    ],
    [
      { protocol: 99, recursive: false, connected: false, trail: [] },
      { protocol: "99", "protocol-id": 99 },
      "without a name",
    ],
    [{ protocol: 0, recursive: true, connected: false, trail: [] }, { recursive: true }, "recursive"],
    [
      { protocol: 0, recursive: false, connected: false, trail: ["a", "b"] },
      { trail: ["a", "b"] },
      "came through pipes",
    ],
    [{ protocol: 0, recursive: false, connected: false, trail: [] }, {}, "configured here"],
  ])("tells its origin %j as %j: %s", async (origin, shown) => {
    const router = await makeRouter();
    router.route("uplinks", "10.0.0.0/8", { ...WAY, origin: internOrigin(origin) });
    const [route] = await get<RouteJson>(router, "/v1/routes");
    const { protocol, "protocol-id": id, recursive, trail } = route!;
    expect(JSON.parse(JSON.stringify({ protocol, "protocol-id": id, recursive, trail }))).toEqual(shown);
  });

  it("tells scope and realm when they are set, and global goes without saying", async () => {
    const router = await makeRouter();
    router.route("uplinks", "10.0.0.0/8", { ...WAY, scope: 253, realm: 7 });
    router.route("uplinks", "11.0.0.0/8", { ...WAY, scope: 0 });
    const [first, second] = await get<RouteJson>(router, "/v1/routes");
    expect(first).toMatchObject({ scope: "link", realm: 7 });
    expect(second).not.toHaveProperty("scope");
    expect(second).not.toHaveProperty("realm");
  });

  it("of the kernel tells its scope once", async () => {
    const router = await makeRouter();
    router.kernelRoute(router.kernel4, "10.0.0.0/8", { ...WAY, scope: 253 }, { scope: 253 });
    const running = await startRouter(router);
    const { text } = await ask(running.path, "/v1/kernel");
    await running.stop();
    expect(text.match(/"scope"/g)).toHaveLength(1);
  });
});

/** Gives every route an MTU of 1300. */
function shorten(router: Router): Filter {
  return {
    name: "shorten",
    key: "shorten",
    asksDevices: false,
    rejectsAll: false,
    apply: (route) => {
      route.attrs = router.intern({ ...WAY, mtu: 1300 });
      return true;
    },
  };
}

async function exportingRouter(options: (router: Router) => Partial<ChannelOptions>): Promise<Router> {
  const router = new Router();
  const more = { kernel: router.kernel4 };
  await router.add("kernel4", "kernel", [router.master4], more, {
    sink: { exported: () => {} },
    ...options(router),
  });
  await router.add("one", "static", [router.master4]);
  await router.add("two", "static", [router.master4]);
  return router;
}

describe("kernel.as", () => {
  it("is what a filter makes of the route", async () => {
    const router = await exportingRouter((r) => ({ export: shorten(r) }));
    router.route("one", "10.0.0.0/8", WAY);
    router.route("one", "11.0.0.0/8", { ...WAY, mtu: 1300 });
    const [changed, same] = await get<RouteJson>(router, "/v1/routes");
    const as = { type: "unicast", gateway: "192.0.2.1", dev: "if2", mtu: 1300, flags: [] };
    expect(changed!.kernel).toMatchObject({ state: "synced", as });
    expect(changed).not.toHaveProperty("mtu");
    expect(same!.kernel).not.toHaveProperty("as");
  });

  it("is what merging makes of the best route, and of no other", async () => {
    const router = await exportingRouter(() => ({ mergePaths: 4 }));
    router.route("one", "10.0.0.0/8", WAY);
    router.route("two", "10.0.0.0/8", { hops: [{ via: "192.0.2.2", device: 2 }] });
    const [best, other] = await get<RouteJson>(router, "/v1/routes?all");
    expect(best!.kernel.as?.nexthops).toEqual([
      { gateway: "192.0.2.1", dev: "if2", weight: 1, flags: [] },
      { gateway: "192.0.2.2", dev: "if2", weight: 1, flags: [] },
    ]);
    expect(other!.kernel).not.toHaveProperty("as");
  });

  it("stands beside what went wrong", async () => {
    const router = await exportingRouter((r) => ({ export: shorten(r) }));
    const node = router.route("one", "10.0.0.0/8", WAY);
    router.kernel4.statuses.set(node, { state: "failed", errno: 22, message: "no", attempts: 2 });
    const [route] = await get<RouteJson>(router, "/v1/routes");
    expect(route!.kernel).toMatchObject({ state: "failed", errno: 22, as: { mtu: 1300 } });
  });
});

describe("a kernel protocol that is down", () => {
  it("has no say about routes", async () => {
    const router = await makeRouter();
    router.route("uplinks", "10.0.0.0/8", WAY);
    const at = router.entries.findIndex(({ protocol }) => protocol.name === "kernel4");
    router.entries[at] = { ...router.entries[at]!, disabled: true, state: "down" };
    const [route] = await get<RouteJson>(router, "/v1/routes?state=none");
    const why = { state: "none", message: "kernel4 is disabled" };
    expect(route!.kernel).toMatchObject({ protocol: "kernel4", table: 254, metric: null, ...why });
  });
});

describe("a static route", () => {
  async function statics(view: Partial<StaticRouteView>): Promise<StaticRouteJson> {
    const router = await makeRouter();
    const route: StaticRouteView = {
      prefix: prefixOf("10.0.0.0/8"),
      attrs: null,
      configured: null,
      recursive: null,
      metric: null,
      preference: 200,
      ...view,
    };
    await router.add("odd", "static", [router.master4], { static: { count: 1, route: () => route } });
    const [shown] = await get<StaticRouteJson>(router, "/v1/static?name=odd");
    return shown!;
  }

  it("without a way is unresolved", async () => {
    const route = await statics({ recursive: parseIp("10.1.2.3")! });
    expect(route).toMatchObject({ recursive: "10.1.2.3", unresolved: true, flags: [], kernel: null });
    expect(await statics({})).toMatchObject({ unresolved: true });
    expect(await statics({})).not.toHaveProperty("recursive");
  });

  it("that was resolved shows the way it found", async () => {
    const router = new Router();
    const attrs = router.attrs.describe(router.intern(WAY));
    const route = await statics({ attrs, recursive: parseIp("10.1.2.3")! });
    expect(route).toMatchObject({ gateway: "192.0.2.1", dev: "eth0", recursive: "10.1.2.3" });
    expect(route).not.toHaveProperty("unresolved");
  });
});

describe("network namespaces", () => {
  /** Table blue4 is synced to a namespace where interface 2 is called wan. */
  async function blueRouter(): Promise<Router> {
    const router = await makeRouter();
    const interfaces = new Interfaces({ requireAddress: false });
    const link = { mtu: 1500, mac: null, kind: "veth", master: null, operstate: 6, carrier: true };
    interfaces.beginFull();
    interfaces.link({ ...link, ifindex: 2, name: "wan", flags: 0x11043 });
    interfaces.endFull();
    router.others.push({ name: "blue", interfaces, problem: null });
    const facet = new FakeKernel(4, 254);
    await router.add("kernel-blue", "kernel", [router.blue4], { kernel: facet, netns: "blue" });
    router.kernelRoute(facet, "10.0.0.0/8", WAY);
    router.kernelRoute(router.kernel4, "10.0.0.0/8", WAY);
    router.route("lab", "10.0.0.0/8", WAY);
    router.route("uplinks", "10.0.0.0/8", WAY);
    return router;
  }

  it("routes name the devices of the namespace their table leads into", async () => {
    const router = await blueRouter();
    const routes = await get<RouteJson>(router, "/v1/routes");
    expect(routes.map(({ table, dev }) => [table, dev])).toEqual([
      ["master4", "eth0"],
      ["blue4", "wan"],
    ]);
    expect(await get<RouteJson>(router, "/v1/routes?dev=wan")).toHaveLength(1);
    expect(await get<RouteJson>(router, "/v1/routes?dev=eth0")).toHaveLength(1);
  });

  it("kernel routes say which namespace they are of", async () => {
    const routes = await get<KernelRouteJson>(await blueRouter(), "/v1/kernel?table=main");
    expect(routes.map(({ netns, dev }) => [netns, dev])).toEqual([
      [undefined, "eth0"],
      ["blue", "wan"],
    ]);
  });

  it("tables say which they lead into, by any protocol when there is no kernel protocol", async () => {
    const router = await makeRouter();
    await router.add("direct-blue", "direct", [router.blue4], { netns: "blue" });
    const tables = await get<TableJson>(router, "/v1/tables");
    expect(tables.map(({ name, netns }) => [name, netns])).toEqual([
      ["master4", null],
      ["master6", null],
      ["blue4", "blue"],
    ]);
  });
});
