/** Serving network namespaces by name: opening, what is refused, names that go while they are served. */

import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { silentLog } from "../../src/lib/log.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { openSocket } from "../../src/sysdep/linux/netlink/socket.ts";
import { SocketTransport } from "../../src/sysdep/linux/netlink/socket-transport.ts";
import { linuxOsProvider } from "../../src/sysdep/linux/provider.ts";
import { type Os, type OsProvider, ROUTE_ADD, ROUTE_DELETE } from "../../src/sysdep/os.ts";
import { CAP_SYS_ADMIN, withoutCapability } from "../support/capabilities.ts";
import { createNetns, createTopology, type Netns, waitFor, withNetns } from "../support/netns.ts";
import { buildBatch, RIG_TABLE } from "../support/os-rig.ts";
import { routeText } from "../support/route-text.ts";

const attrs = new AttrsTable();

function provider(transport: "socket" | "node-netlink" = "socket"): OsProvider {
  return linuxOsProvider({ transport, rxBufferBytes: 1 << 20, attrs, log: silentLog });
}

const opened: Os[] = [];

async function open(netns: string | null): Promise<Os> {
  const os = provider().create(netns);
  opened.push(os);
  await os.open();
  return os;
}

afterEach(async () => {
  for (const os of opened.splice(0)) await os.close();
});

async function linksOf(os: Os): Promise<string[]> {
  const names: string[] = [];
  const sink = { link: ({ name }: { readonly name: string }) => void names.push(name), address() {} };
  expect(await os.scanInterfaces(sink)).toMatchObject({ complete: true });
  return names;
}

async function routesOf(os: Os): Promise<string[]> {
  const routes: string[] = [];
  const sink = { route: (route: Parameters<typeof routeText>[0]) => void routes.push(routeText(route)) };
  expect(await os.scanRoutes({ family: 4, table: RIG_TABLE }, sink)).toMatchObject({ complete: true });
  return routes;
}

async function write(os: Os, op: number): Promise<number> {
  const batch = buildBatch([{ op, prefix: "192.0.2.0/24", attrs: { type: "blackhole" } }], attrs);
  await os.writeRoutes(batch);
  return batch.errno[0]!;
}

const openFiles = (): number => readdirSync("/proc/self/fd").length;

describe("linuxOsProvider().create()", () => {
  it("serves several namespaces at once, by name and by path, and the process's own", async () => {
    await using first = await createTopology();
    await using second = await createNetns();
    await second.ip("link add only0 type ifb");
    const oses = await Promise.all([open(first.name), open(second.path), open(null)]);
    const [a, b, own] = oses;
    expect(await linksOf(a!)).toEqual(expect.arrayContaining(["v0", "v1"]));
    expect(await linksOf(b!)).toContain("only0");
    expect(await linksOf(own!)).not.toContain("only0");
    expect([await write(a!, ROUTE_ADD), await write(a!, ROUTE_ADD), await write(b!, ROUTE_ADD)]).toEqual([
      0, 17, 0,
    ]);
    expect(await write(a!, ROUTE_DELETE)).toBe(0);
    expect([await routesOf(a!), (await routesOf(b!)).length]).toEqual([[], 1]);
    expect([a!.counters.routeWrites, b!.counters.routeWrites]).toEqual([3, 1]);
  });

  it("says what it lacks without CAP_SYS_ADMIN, and opens none by halves", async () => {
    await withNetns(async (ns) => {
      const os = provider().create(ns.name);
      const before = openFiles();
      const attempt = withoutCapability(CAP_SYS_ADMIN, () => os.open());
      await expect(attempt).rejects.toMatchObject({
        code: "netns-unavailable",
        message: `Cannot enter network namespace /run/netns/${ns.name}: Operation not permitted`,
        hint: "Entering a network namespace needs CAP_SYS_ADMIN besides CAP_NET_ADMIN.",
      });
      expect(openFiles()).toBe(before);
    });
  });

  it("refuses what is no namespace, and says so", async () => {
    const path = `/run/netns/krtd-${process.pid}-file`;
    await using _directory = await createNetns();
    writeFileSync(path, "");
    try {
      const attempt = provider().create(path).open();
      await expect(attempt).rejects.toMatchObject({
        code: "netns-unavailable",
        message: `Cannot enter network namespace ${path}: Invalid argument`,
        hint: expect.stringContaining("may not have finished making it"),
      });
    } finally {
      rmSync(path);
    }
    await expect(provider().create("krtd-no-such").open()).rejects.toMatchObject({
      message: "Cannot enter network namespace /run/netns/krtd-no-such: No such file or directory",
      hint: "`ip netns list` shows the named namespaces.",
    });
  });

  it("refuses any namespace but the own over node-netlink, and says what to do", async () => {
    await withNetns(async (ns) => {
      const attempt = provider("node-netlink").create(ns.name).open();
      await expect(attempt).rejects.toMatchObject({
        code: "unsupported",
        message: expect.stringContaining(`Cannot serve network namespace ${ns.name}: `),
        hint: expect.stringContaining("netlink.transport: socket"),
      });
    });
  });

  it("leaves no descriptor behind: not when it was closed, nor when the n-th socket could not be opened", async () => {
    await using ns = await createNetns();
    await (await open(ns.name)).close();
    const before = openFiles();
    for (let i = 0; i < 3; i++) {
      const os = await open(ns.name);
      expect(openFiles()).toBeGreaterThan(before);
      await os.close();
      expect(openFiles()).toBe(before);
    }
    for (const failing of [1, 2, 3]) {
      let count = 0;
      const transport = new SocketTransport({
        rxBufferBytes: 65536,
        open: (options) => {
          if (++count === failing) throw new Error("no more");
          return openSocket(options);
        },
      });
      await expect(ns.inside(() => transport.open())).rejects.toThrow("no more");
      expect(openFiles()).toBe(before);
    }
  });
});

describe("A namespace whose name is deleted while it is served", () => {
  /** A link of `ns` has its other end in `other`: that one is there exactly as long as `ns` lives. */
  async function canary(ns: Netns, other: Netns): Promise<() => Promise<boolean>> {
    await ns.ip(`link add c0 type veth peer name c1 netns ${other.name}`);
    await ns.ip("link set c0 up");
    return async () => (await other.ip("-o link show")).includes(" c1@");
  }

  it("lives on with dumps, writes and events, until the Os is closed", async () => {
    await using other = await createNetns();
    await using ns = await createNetns();
    const lives = await canary(ns, other);
    const os = await open(ns.name);
    const events: string[] = [];
    const monitor = await os.monitor({
      link: ({ name }) => void events.push(`link ${name}`),
      linkGone() {},
      address() {},
      nexthopGone: () => {},
      addressGone() {},
      route() {},
      lost() {},
    });
    await ns.dispose();
    events.length = 0;
    expect(await write(os, ROUTE_ADD)).toBe(0);
    expect(await routesOf(os)).toEqual([expect.stringContaining("blackhole 192.0.2.0/24")]);
    expect(await linksOf(os)).toContain("c0");
    await other.ip("link set c1 up");
    await waitFor("an event of the deleted namespace", () => events.includes("link c0"));
    expect(await write(os, ROUTE_DELETE)).toBe(0);
    expect(await lives()).toBe(true);
    await monitor?.close();
    await os.close();
    await waitFor("the namespace is gone", async () => !(await lives()), 20_000);
  });

  it("ends cleanly while a dump and a write are under way", async () => {
    await using other = await createNetns();
    await using ns = await createNetns();
    const lives = await canary(ns, other);
    await ns.batch(
      Array.from({ length: 20_000 }, (_, i) => `route add blackhole 12.0.${i >> 8}.${i & 255} table 1000`),
    );
    const os = await open(ns.name);
    const scans = [1, 2].map(() => os.scanRoutes({ family: 4, table: RIG_TABLE }, { route() {} }));
    const written = write(os, ROUTE_ADD);
    await ns.dispose();
    await os.close();
    expect([0, -1]).toContain(await written);
    for (const outcome of await Promise.all(scans)) {
      if (!outcome.complete) expect(outcome.reason).toBe("the transport was closed");
    }
    await waitFor("the namespace is gone", async () => !(await lives()), 20_000);
  });
});
