/**
 * One krtd for three network namespaces: its own, and two by name, in which everything has the same names and
 * addresses. What happens in one is nothing to the others, least of all its end.
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KernelInput, KrtInput, RouteInput, StaticInput } from "../../src/config/input.ts";
import { asNobody } from "../support/as-nobody.ts";
import { FAMILIES, type FamilyCase, lines, ownLines } from "../support/families.ts";
import { makeDirectory, type RunningKrtd, startKrtd, startSynced } from "../support/krtd.ts";
import { createNetns, createTopology, type Netns, netnsName, settled, waitFor } from "../support/netns.ts";
import { monitorRoutes } from "../support/route-monitor.ts";

const ROUTES = 10;
/** Which of the three; each has gateways of its own, so that a route in the wrong one shows. */
type Place = "home" | "red" | "blue";
const PLACES: readonly Place[] = ["home", "red", "blue"];

const gatewayOf = (place: Place, { family }: FamilyCase): string => {
  const last = 20 + PLACES.indexOf(place);
  return family === 4 ? `10.0.0.${last}` : `2001:db8:0:1::${last}`;
};

const tableOf = (place: Place, { family, table }: FamilyCase): string =>
  place === "home" ? table : `${place}${family}`;

/** Half of the routes name the device, which is another one in each namespace. */
const routesOf = (place: Place, it6: FamilyCase): RouteInput[] =>
  Array.from({ length: ROUTES }, (_, i) => ({
    prefix: it6.net(i),
    via: gatewayOf(place, it6),
    ...(i % 2 === 0 ? { dev: "v0" } : {}),
  }));

const wantedOf = (place: Place, it6: FamilyCase): string[] =>
  Array.from(
    { length: ROUTES },
    (_, i) =>
      `unicast ${it6.net(i)} via ${gatewayOf(place, it6)} dev v0 proto 120 scope global metric 32${it6.suffix}`,
  );

let home: Netns;
let names: Readonly<Record<Place, string>>;
let spaces: Netns[];

beforeEach(async () => {
  home = await createTopology();
  names = { home: home.name, red: netnsName(), blue: netnsName() };
  spaces = [home];
});

afterEach(async () => {
  for (const space of spaces) await space.dispose();
});

/** `ip netns add` of a place's name, with the topology in it. */
async function make(place: Place): Promise<Netns> {
  const space = await createTopology(names[place]);
  spaces.push(space);
  return space;
}

interface Options {
  readonly kernel?: KernelInput;
  readonly root?: KrtInput;
  /** By path in place of by name. */
  readonly byPath?: boolean;
}

function config(places: readonly Place[], { kernel, root, byPath = false }: Options = {}): string {
  const all = places.flatMap((place) => FAMILIES.map((it6) => ({ place, it6 })));
  const input = {
    log: { format: "json" },
    tables: Object.fromEntries(
      all.flatMap(({ place, it6 }) =>
        place === "home" ? [] : [[tableOf(place, it6), { family: `ipv${it6.family}` }]],
      ),
    ),
    kernel: Object.fromEntries(
      all.map(({ place, it6 }) => [
        `${place}-kernel${it6.family}`,
        {
          table: tableOf(place, it6),
          "scan-time": 0,
          ...(place === "home" ? {} : { netns: byPath ? `/run/netns/${names[place]}` : names[place] }),
          ...kernel,
        },
      ]),
    ),
    static: Object.fromEntries(
      all.map(({ place, it6 }) => [
        `${place}-static${it6.family}`,
        { table: tableOf(place, it6), routes: routesOf(place, it6) } satisfies StaticInput,
      ]),
    ),
    safety: { "max-delete-percent": 100 },
    ...root,
  };
  return `${JSON.stringify(input, null, 1)}\n`;
}

async function isComplete(place: Place, space: Netns): Promise<boolean> {
  for (const it6 of FAMILIES) {
    if ((await ownLines(space, it6.flag)).join("\n") !== wantedOf(place, it6).join("\n")) return false;
  }
  return true;
}

async function expectComplete(place: Place, space: Netns): Promise<void> {
  for (const it6 of FAMILIES) expect(await ownLines(space, it6.flag)).toEqual(wantedOf(place, it6));
}

async function expectEmpty(space: Netns): Promise<void> {
  for (const { flag } of FAMILIES) expect(await ownLines(space, flag, "table all")).toEqual([]);
}

const infoOf = async (krtd: RunningKrtd, name: string): Promise<string> => (await krtd.protocol(name)).info;

/** Open netlink sockets, in whatever namespaces: those that are no unix sockets. */
function netlinkSockets({ pid }: RunningKrtd): number {
  // These first: a connection to the control socket may end between the two. Its end at krtd belongs to the namespace
  // of who connects, as the other ends of its standard streams do.
  const unix = new Set(
    [`/proc/${pid}/net/unix`, "/proc/self/net/unix"].flatMap((file) =>
      readFileSync(file, "utf8")
        .split("\n")
        .map((line) => line.split(/\s+/)[6]),
    ),
  );
  const inodes = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      return [];
    }
  });
  return inodes.filter((inode) => !unix.has(inode)).length;
}

const problems = (krtd: RunningKrtd): string[] => krtd.log().match(/^.*"level":"(error|warn)".*$/gm) ?? [];

describe("one krtd in several namespaces", () => {
  it.each([
    ["by name", false],
    ["by path", true],
  ])("installs each one's routes there alone, and repairs drift in each (%s)", async (_how, byPath) => {
    const space = { home, red: await make("red"), blue: await make("blue") };
    await using krtd = await startSynced(home, config(PLACES, { byPath }));
    for (const place of PLACES) await expectComplete(place, space[place]);
    expect((await krtd.status()).namespaces).toMatchObject([{ name: null }, {}, {}]);
    const writes = await krtd.writes();
    await krtd.scan();
    expect(await krtd.writes()).toBe(writes);

    for (const place of PLACES) {
      for (const { flag, net } of FAMILIES) {
        await space[place].ip(`${flag} route del ${net(1)} metric 32`);
        await space[place].ip(`${flag} route replace ${net(2)} dev v1 metric 32 proto 120`);
        await space[place].ip(`${flag} route add blackhole ${net(50)} metric 7 proto 120`);
      }
      await waitFor(`${place} is repaired`, () => isComplete(place, space[place]));
      for (const other of PLACES) await expectComplete(other, space[other]);
    }
    // A link that goes down in one takes routes there alone.
    await space.red.ip("link set v0 down");
    await waitFor("red waits", async () => (await krtd.status()).counts.waiting > 0);
    await expectComplete("home", home);
    await expectComplete("blue", space.blue);
    await space.red.ip("link set v0 up");
    await space.red.tryIp("addr add 2001:db8:0:1::1/64 dev v0 nodad");
    await waitFor("red is back", () => isComplete("red", space.red));
    expect(await krtd.stop()).toBe(0);
    for (const place of PLACES) await expectEmpty(space[place]);
  });

  it("learns in each what is there, and no more", async () => {
    const space = { home, red: await make("red"), blue: await make("blue") };
    await space.red.ip("route add 203.0.113.0/24 via 10.0.0.9 proto static");
    await using krtd = await startSynced(home, config(PLACES, { kernel: { learn: true } }));
    await space.blue.ip("route add 203.0.113.0/24 via 10.0.0.8 proto static");
    await waitFor("both are learned", async () => (await krtd.routes("prefix=203.0.113.0/24")).length === 2);
    const learned = await krtd.routes("prefix=203.0.113.0/24");
    expect(learned.map(({ table, gateway, dev }) => [table, gateway, dev])).toEqual(
      expect.arrayContaining([
        ["red4", "10.0.0.9", "v0"],
        ["blue4", "10.0.0.8", "v0"],
      ]),
    );
  });
});

describe("a namespace whose name is deleted", () => {
  it("takes its own protocols down and no others, and dies", async () => {
    const space = { home, red: await make("red"), blue: await make("blue") };
    // The end outside goes when red really ends, and not before.
    await using outside = await createNetns();
    await space.red.ip(`link add witness type veth peer name witness netns ${outside.name}`);
    // The end of an address's tentative time makes krtd scan.
    await settled(home);
    await settled(space.blue);
    await using krtd = await startSynced(home, config(PLACES, { kernel: { learn: true } }));
    const sockets = netlinkSockets(krtd);
    const others = (await krtd.kernels()).filter(({ name }) => !name.startsWith("red"));
    await using monitor = await monitorRoutes(space.blue);
    expect(await outside.ip("-o link show")).toContain("witness");

    // Meanwhile routes come in the other two, by events alone: scan-time is 0.
    const learned = 300;
    const command = (i: number) => `route add 172.${16 + (i >> 8)}.${i & 255}.0/24 via 10.0.0.9 proto static`;
    const half = Array.from({ length: learned / 2 }, (_, i) => command(i));
    const rest = Array.from({ length: learned / 2 }, (_, i) => command(learned / 2 + i));
    await Promise.all([
      space.blue.batch(half).then(() => space.blue.batch(rest)),
      home.batch(half).then(() => home.batch(rest)),
      space.red.dispose(),
    ]);
    await waitFor("red's protocols are down", async () => (await krtd.state()) === "degraded");
    for (const name of ["red-kernel4", "red-kernel6"]) {
      await waitFor(`${name} is down`, async () => (await krtd.protocol(name)).state === "down");
      expect(await infoOf(krtd, name)).toBe(`Network namespace ${names.red} is gone`);
    }
    for (const { name, protocol } of await Promise.all(
      others.map(async ({ name }) => ({ name, protocol: await krtd.protocol(name) })),
    )) {
      expect([name, protocol.state, protocol.info]).toEqual([name, "up", ""]);
    }
    expect((await krtd.status()).namespaces).toContainEqual({
      name: names.red,
      problem: `Network namespace ${names.red} is gone`,
    });
    const count = async (table: string) =>
      (await krtd.routes()).filter((route) => route.table === table && route["source-type"] === "inherit")
        .length;
    for (const table of ["master4", "blue4"]) {
      await waitFor(`all are learned in ${table}`, async () => (await count(table)) === learned);
    }
    // Not one scan helped.
    const after = await krtd.kernels();
    for (const { name, kernel } of others) {
      expect(after.find((one) => one.name === name)?.kernel.scan.count).toBe(kernel.scan.count);
    }
    expect((await krtd.status()).netlink).toMatchObject({ overruns: 0, resyncs: 0, truncated: 0 });

    // Nothing of krtd's holds the namespace: with it went its end of the pair.
    await waitFor("red has died", async () => !(await outside.ip("-o link show")).includes("witness"));
    expect(netlinkSockets(krtd)).toBeLessThan(sockets);
    await expectComplete("home", home);
    await expectComplete("blue", space.blue);
    const touched = (await monitor.events()).filter((line) => line.includes(" proto 120 "));
    expect(touched).toEqual([]);
    expect(problems(krtd).filter((line) => !line.includes("a network namespace is gone"))).toEqual([]);
    expect(await krtd.stop()).toBe(0);
    await expectEmpty(home);
    await expectEmpty(space.blue);
  });

  it("is served again, in full, when there is one of that name again", async () => {
    const first = await make("red");
    await using krtd = await startSynced(home, config(["home", "red"]));
    const sockets = netlinkSockets(krtd);
    for (let round = 0; round < 3; round++) {
      await (round === 0 ? first : spaces.pop()!).dispose();
      await waitFor("it is missed", async () => (await krtd.state()) === "degraded");
      const again = await make("red");
      await waitFor("its routes are there", () => isComplete("red", again));
      await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
      expect((await krtd.status()).namespaces).toContainEqual({ name: names.red, problem: null });
      for (const name of ["red-kernel4", "red-kernel6"]) {
        expect(await krtd.protocol(name)).toMatchObject({ state: "up", info: "" });
      }
      await again.ip("route del 198.18.1.0/24 metric 32");
      await waitFor("drift there is repaired", () => isComplete("red", again));
      expect(netlinkSockets(krtd)).toBe(sockets);
    }
    expect(await krtd.stop()).toBe(0);
    await expectEmpty(spaces.at(-1)!);
  });

  it("is told from another one of the same name, however quickly that came", async () => {
    const first = await make("red");
    await using krtd = await startSynced(home, config(["home", "red"]));
    await expectComplete("red", first);
    spaces.splice(spaces.indexOf(first), 1);
    // One process does both: there is no moment without a name that anybody could see.
    const both = `netns del ${names.red}\nnetns add ${names.red}\n`;
    await home.run("sh", ["-euc", 'printf "%s" "$1" | ip -batch -', "sh", both]);
    await first.dispose();
    const second = await make("red");
    await waitFor("its routes are there", () => isComplete("red", second));
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    expect(krtd.records("a network namespace is gone").length).toBeGreaterThanOrEqual(1);
  });

  it("may go in the middle of being filled, and again, and the others see nothing of it", async () => {
    const MANY = 20_000;
    const [v4] = FAMILIES;
    const text = Array.from({ length: MANY }, (_, i) => `${v4!.host(i)} via 10.0.0.21`).join("\n");
    const blue = await make("blue");
    let red = await make("red");
    const root = { static: { "red-many": { table: "red4", files: ["many.routes"] } } };
    const yaml = JSON.parse(config(PLACES)) as { static: object };
    Object.assign(yaml.static, root.static);
    await using krtd = await startKrtd(home, JSON.stringify(yaml), { files: { "many.routes": text } });
    await waitFor("blue is served", () => isComplete("blue", blue));
    await using monitor = await monitorRoutes(blue);
    for (let round = 0; round < 4; round++) {
      await waitFor("some of it is there", async () => {
        const [red4] = (await krtd.kernels()).filter(({ name }) => name === "red-kernel4");
        return (red4?.kernel.writes.add ?? 0) > 1000 * round;
      });
      await red.dispose();
      await waitFor("it is missed", async () => (await krtd.protocol("red-kernel4")).state === "down");
      expect(await isComplete("blue", blue)).toBe(true);
      red = await make("red");
    }
    const all = async () =>
      (await red.ip("-4 route show proto 120")).split("\n").length - 1 === MANY + ROUTES;
    await waitFor("it is filled", all, 20_000, 100);
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    expect(await monitor.events()).toEqual([]);
    expect((await krtd.status()).netlink).toMatchObject({ overruns: 0, resyncs: 0, truncated: 0 });
    expect(krtd.log()).not.toMatch(/"level":"error"/);
    expect(await krtd.stop()).toBe(0);
    await expectEmpty(red);
  });

  it("comes back to what was switched off by hand meanwhile, and that stays off", async () => {
    const red = await make("red");
    await using krtd = await startSynced(home, config(["home", "red"]));
    await red.dispose();
    await waitFor("it is missed", async () => (await krtd.protocol("red-kernel4")).state === "down");
    await krtd.act("disable", "red-kernel4");
    // Whoever tries to start one that cannot be is told why.
    await expect(krtd.act("restart", "red-kernel6")).rejects.toThrow(
      `Network namespace ${names.red} is gone`,
    );
    const again = await make("red");
    await waitFor("one is up", async () => (await krtd.protocol("red-kernel6")).state === "up");
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    expect(await krtd.protocol("red-kernel4")).toMatchObject({ state: "down", disabled: true });
    expect(await ownLines(again, "-4")).toEqual([]);
    expect(await ownLines(again, "-6")).toHaveLength(ROUTES);
    await krtd.act("enable", "red-kernel4");
    await waitFor("both", () => isComplete("red", again));
  });

  it("does not keep krtd from stopping", async () => {
    const red = await make("red");
    await using krtd = await startSynced(home, config(["home", "red"]));
    await red.dispose();
    expect(await krtd.stop()).toBe(0);
    await expectEmpty(home);
    expect(problems(krtd).filter((line) => !line.includes("a network namespace is gone"))).toEqual([]);
  });
});

describe("a namespace that is not there at the start", () => {
  it("is waited for, and the others are served meanwhile", async () => {
    const blue = await make("blue");
    await using krtd = await startKrtd(home, config(PLACES));
    await waitFor("the others are served", () => isComplete("blue", blue));
    await waitFor("home too", () => isComplete("home", home));
    expect(await krtd.state()).toBe("degraded");
    expect(await infoOf(krtd, "red-kernel4")).toBe(`There is no network namespace ${names.red}`);
    expect(await krtd.protocol("red-kernel4")).toMatchObject({ state: "down", netns: names.red });
    expect((await krtd.route("198.18.1.0/24")).kernel.state).toBe("synced");

    // An empty one: the routes wait for its interface.
    const red = await createNetns(names.red);
    spaces.push(red);
    await waitFor("it is served", async () => (await krtd.protocol("red-kernel4")).state === "up");
    await red.ip("link add v0 type veth peer name v1");
    await red.ip("link set v1 up");
    await red.ip("addr add 10.0.0.1/24 dev v0");
    await red.ip("addr add 2001:db8:0:1::1/64 dev v0 nodad");
    await red.ip("link set v0 up");
    await waitFor("its routes are there", () => isComplete("red", red));
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
  });

  it("does not keep the service manager waiting", async () => {
    await using krtd = await startKrtd(home, config(["home", "red"]));
    await waitFor("it says that it is in sync", () => krtd.logged("in sync") !== undefined);
    await expectComplete("home", home);
    expect(await krtd.state()).toBe("degraded");
    expect(await krtd.stop()).toBe(0);
    await expectEmpty(home);
  });
});

describe("a namespace that is served already, by another name", () => {
  it.each([
    ["krtd's own", "home"],
    ["another one", "red"],
  ] as const)("is not served twice: two would fight over its tables (%s)", async (_which, twice) => {
    const space = { home, red: await make("red") };
    const directory = await makeDirectory();
    names = { ...names, blue: join(directory, "alias") };
    await symlink(space[twice].path, names.blue);
    await using krtd = await startKrtd(home, config(PLACES), { directory });
    await waitFor("red is served", () => isComplete("red", space.red));
    await waitFor("home is served", () => isComplete("home", home));
    const told = twice === "home" ? "krtd's own" : `the same as ${names.red}`;
    for (const name of ["blue-kernel4", "blue-kernel6"]) {
      expect(await krtd.protocol(name)).toMatchObject({
        state: "down",
        info: `Network namespace ${names.blue} is ${told}: krtd serves it once`,
      });
    }
    expect(await krtd.state()).toBe("degraded");
    const writes = await krtd.writes();
    await krtd.scan("degraded");
    expect(await krtd.writes()).toBe(writes);
    await rm(directory, { recursive: true });
  });
});

describe("configure", () => {
  it("adds and removes namespaces, and the rest sees nothing of it", async () => {
    const space = { home, red: await make("red"), blue: await make("blue") };
    await using krtd = await startSynced(home, config(["home", "red"]));
    const sockets = netlinkSockets(krtd);
    await using monitor = await monitorRoutes(space.red);
    await krtd.configure(config(PLACES));
    await waitFor("blue is served", () => isComplete("blue", space.blue));
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    expect(netlinkSockets(krtd)).toBeGreaterThan(sockets);
    await space.blue.ip("route del 198.18.1.0/24 metric 32");
    await waitFor("drift there is repaired", () => isComplete("blue", space.blue));

    await krtd.configure(config(["home", "red"]));
    await expectEmpty(space.blue);
    expect(netlinkSockets(krtd)).toBe(sockets);
    expect((await krtd.status()).namespaces).toHaveLength(2);
    expect(await krtd.state()).toBe("in-sync");
    expect(await monitor.events()).toEqual([]);
    // Nobody looks after it any more.
    await space.blue.ip("route add blackhole 198.18.77.0/24 proto 120 metric 32");
    await krtd.scan();
    expect(lines(await space.blue.ip("route show proto 120"))).toHaveLength(1);

    await krtd.configure(config(["home"]));
    await expectEmpty(space.red);
    expect((await krtd.status()).namespaces).toBeUndefined();
    await expectComplete("home", home);
  });

  it("takes a namespace that is not there, and one that went", async () => {
    const red = await make("red");
    await using krtd = await startSynced(home, config(["home"]));
    await krtd.configure(config(PLACES));
    await waitFor("red is served", () => isComplete("red", red));
    expect(await krtd.state()).toBe("degraded");
    expect(await infoOf(krtd, "blue-kernel6")).toBe(`There is no network namespace ${names.blue}`);
    const blue = await make("blue");
    await waitFor("blue is served", () => isComplete("blue", blue));
    await red.dispose();
    await waitFor("red is missed", async () => (await krtd.protocol("red-kernel4")).state === "down");
    await krtd.configure(config(["home", "blue"]));
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    await expectComplete("blue", blue);
  });

  it("moves a protocol from one namespace to another", async () => {
    const space = { home, red: await make("red"), blue: await make("blue") };
    await using krtd = await startSynced(home, config(["home", "red"]));
    const before = names;
    const moved = config(["home", "red"]).replaceAll(before.red, before.blue);
    await krtd.configure(moved);
    await waitFor("its routes are in the other one", () => isComplete("red", space.blue));
    await expectEmpty(space.red);
    await waitFor("all is well", async () => (await krtd.state()) === "in-sync");
    await expectComplete("home", home);
  });
});

describe("krtd --observe that may not enter a namespace", () => {
  it("says so, and observes its own", async () => {
    const red = await make("red");
    await settled(red);
    await settled(home);
    await home.ip("route add 198.18.1.0/24 via 10.0.0.20 metric 32 proto 120");
    const options = { wrapper: asNobody("-all"), open: true, args: ["--observe"] } as const;
    await using krtd = await startKrtd(home, config(["home", "red"]), options);
    await waitFor("it observes", async () => (await krtd.state()) === "degraded");
    const told =
      `Cannot enter network namespace /run/netns/${names.red}: Operation not permitted. ` +
      "Entering a network namespace needs CAP_SYS_ADMIN besides CAP_NET_ADMIN";
    await waitFor("home is up", async () => (await krtd.protocol("home-kernel4")).state === "up");
    expect((await infoOf(krtd, "red-kernel4")).replace(/\.$/, "")).toBe(told);
    expect((await krtd.ctl("show", "status")).stdout).toContain("CAP_SYS_ADMIN");
    await waitFor("the first scan", async () => {
      const shown = await krtd.routes("prefix=198.18.1.0/24");
      return shown.find(({ table }) => table === "master4")?.kernel.state === "synced";
    });
    expect(await krtd.stop()).toBe(0);
    await expectEmpty(red);
  });
});
