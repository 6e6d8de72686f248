import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { type Filter, REJECT_ALL } from "../../../src/nest/filter.ts";
import type { StaticConfig } from "../../../src/proto/static/config.ts";
import { settle } from "../../support/fake-clock.ts";
import { configOf, fixture, link, type RouteText } from "./fixture.ts";

type More = Partial<StaticConfig>;

const A: RouteText = ["10.1.0.0/16", "via 10.0.0.1"];
const B: RouteText = ["10.2.0.0/16", "via 10.0.0.2"];
const B2: RouteText = ["10.2.0.0/16", "via 10.0.0.2 metric 5"];
const C: RouteText = ["10.3.0.0/16", "blackhole"];
/** Rejects 10.1.0.0/16. */
const noA: Filter = {
  ...REJECT_ALL,
  name: "no-a",
  key: "no-a",
  rejectsAll: false,
  apply: ({ w0 }) => ((w0 >>> 16) & 0xff) !== 1,
};

const ROWS: readonly {
  why: string;
  before: readonly [readonly RouteText[], More?];
  after: readonly [readonly RouteText[], More?];
  changes: readonly string[];
}[] = [
  { why: "nothing changed", before: [[A, B, C]], after: [[A, B, C]], changes: [] },
  { why: "another order is no change", before: [[A, B, C]], after: [[C, A, B]], changes: [] },
  { why: "a new route comes", before: [[A]], after: [[A, B]], changes: ["+ 10.2.0.0/16"] },
  { why: "a missing one goes", before: [[A, B]], after: [[B]], changes: ["- 10.1.0.0/16"] },
  { why: "all go", before: [[A, B]], after: [[]], changes: ["- 10.1.0.0/16", "- 10.2.0.0/16"] },
  { why: "a changed one is replaced", before: [[A, B]], after: [[A, B2]], changes: ["+ 10.2.0.0/16"] },
  {
    why: "new ones come before missing ones go",
    before: [[A, B]],
    after: [[C, B]],
    changes: ["+ 10.3.0.0/16", "- 10.1.0.0/16"],
  },
  {
    why: "another preference replaces each route in place",
    before: [[A, B]],
    after: [[A, B], { preference: 100 }],
    changes: ["+ 10.1.0.0/16", "+ 10.2.0.0/16"],
  },
  {
    why: "a filter takes away what it rejects",
    before: [[A, B]],
    after: [[A, B], { import: noA }],
    changes: ["- 10.1.0.0/16"],
  },
  {
    why: "and without it the route is back",
    before: [[A, B], { import: noA }],
    after: [[A, B]],
    changes: ["+ 10.1.0.0/16"],
  },
  {
    why: "with check-link a route without a link goes",
    before: [[A, ["10.2.0.0/16", "dev eth9"]]],
    after: [[A, ["10.2.0.0/16", "dev eth9"]], { checkLink: true }],
    changes: ["- 10.2.0.0/16"],
  },
  {
    why: "a recursive route is resolved by the new plain ones, once",
    before: [
      [
        ["10.1.0.0/16", "via 10.0.0.1"],
        ["10.9.0.0/16", "recursive 10.1.2.3"],
      ],
    ],
    after: [
      [
        ["10.1.0.0/16", "via 10.0.0.7"],
        ["10.9.0.0/16", "recursive 10.1.2.3"],
      ],
    ],
    changes: ["+ 10.1.0.0/16", "+ 10.9.0.0/16"],
  },
  {
    why: "a recursive route goes with what it followed",
    before: [[A, ["10.9.0.0/16", "recursive 10.1.2.3"]]],
    after: [[B, ["10.9.0.0/16", "recursive 10.1.2.3"]]],
    changes: ["+ 10.2.0.0/16", "- 10.1.0.0/16", "- 10.9.0.0/16"],
  },
  {
    why: "one that becomes recursive is replaced",
    before: [[A, C]],
    after: [[A, ["10.3.0.0/16", "recursive 10.1.2.3"]]],
    changes: ["+ 10.3.0.0/16"],
  },
  {
    why: "one that becomes recursive, and goes where it went, is replaced",
    before: [[A, ["10.9.0.0/16", "via 10.0.0.1"]]],
    after: [[A, ["10.9.0.0/16", "recursive 10.1.2.3"]]],
    changes: ["+ 10.9.0.0/16"],
  },
  {
    why: "one that becomes recursive does not follow itself as it was",
    before: [[A]],
    after: [[["10.1.0.0/16", "recursive 10.1.2.3"]]],
    changes: ["- 10.1.0.0/16"],
  },
  {
    why: "one that is no longer recursive can be followed at once",
    before: [[A, ["10.3.0.0/16", "recursive 10.1.2.3"], ["10.4.0.0/16", "recursive 10.3.0.1"]]],
    after: [[A, C, ["10.4.0.0/16", "recursive 10.3.0.1"]]],
    changes: ["+ 10.3.0.0/16", "+ 10.4.0.0/16"],
  },
];

describe("StaticProtocol.reconfigure()", () => {
  it.each(ROWS)("announces $changes: $why", async ({ before, after, changes }) => {
    const f = fixture(configOf(...before));
    const fresh = fixture(configOf(...after));
    await f.protocol.start();
    await fresh.protocol.start();
    f.changes.length = 0;
    const config = configOf(...after);
    const imported = f.protocol.channels[0]!.stats.imported;
    await f.protocol.reconfigure(config);
    expect(f.changes).toEqual(changes);
    if (changes.length === 0) expect(f.protocol.channels[0]!.stats.imported).toBe(imported);
    expect(f.announced()).toEqual(fresh.announced());
    expect(f.protocol.config).toBe(config);
    expect(f.protocol.count).toBe(config.routes.count);
    await f.clock.advance(1000);
    expect(f.changes).toEqual(changes);
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("takes another configuration before the start", async () => {
    const f = fixture(configOf([A]));
    await f.protocol.reconfigure(configOf([B], { preference: 7 }));
    expect(f.announced()).toEqual({});
    await f.protocol.start();
    expect(f.announced()).toEqual({ "10.2.0.0/16": "via 10.0.0.2 pref 7" });
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("listens to the table as long as anything is recursive", async () => {
    const f = fixture(configOf([A]));
    await f.protocol.start();
    await f.protocol.reconfigure(configOf([["10.9.0.0/16", "recursive 192.0.2.9"]]));
    f.other("192.0.2.0/24", { nexthops: [{ via: "10.0.0.9" }] });
    await f.clock.advance(100);
    expect(f.announced()).toEqual({ "10.9.0.0/16": "via 10.0.0.9 recursive" });
    await f.protocol.reconfigure(configOf([A]));
    f.unother("192.0.2.0/24");
    await f.clock.advance(100);
    expect(f.announced()).toEqual({ "10.1.0.0/16": "via 10.0.0.1" });
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("lets go of the old routes", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const f = fixture(configOf([A]));
    await f.protocol.start();
    const old = ((): WeakRef<object> => {
      const config = configOf([B, ["10.9.0.0/16", "recursive 10.2.0.1"]]);
      void f.protocol.reconfigure(config);
      return new WeakRef(config.routes);
    })();
    await settle();
    expect(f.protocol.config.routes).toBe(old.deref());
    await f.protocol.reconfigure(configOf([C]));
    await settle();
    collect();
    expect(old.deref()).toBeUndefined();
    await f.protocol.stop();
  });
});

const many = (from: number, to: number, spec: string): RouteText[] =>
  Array.from({ length: to - from }, (_, i) => [`10.${(from + i) >> 8}.${(from + i) & 255}.0/24`, spec]);

describe("what happens while routes are announced", () => {
  it.each([
    { why: "two reconfigurations in a row", steps: ["a", "b"], last: "b" },
    { why: "three, back to the first", steps: ["a", "b", "start"], last: "start" },
    { why: "a reload between", steps: ["a", "reload", "b", "reload"], last: "b" },
  ])("follows: $why", async ({ steps, last }) => {
    const configs: Record<string, () => StaticConfig> = {
      start: () => configOf(many(0, 5000, "via 10.0.0.1")),
      a: () => configOf(many(2000, 7000, "via 10.0.0.2"), { preference: 100 }),
      b: () => configOf(many(4000, 9000, "via 10.0.0.3 metric 3")),
    };
    const f = fixture(configs["start"]!());
    const started = f.protocol.start();
    const done = steps.map((step) =>
      step === "reload" ? f.protocol.reload() : f.protocol.reconfigure(configs[step]!()),
    );
    await Promise.all([started, ...done]);
    const fresh = fixture(configs[last]!());
    await fresh.protocol.start();
    expect(f.announced()).toEqual(fresh.announced());
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it("makes events of interfaces wait, and then count", async () => {
    const f = fixture(configOf(many(0, 5000, "dev eth0")));
    const started = f.protocol.start();
    await f.clock.yield();
    f.interfaces.link(link(3, "eth0"));
    const done = f.protocol.reconfigure(configOf(many(2000, 7000, "dev eth0")));
    await f.clock.yield();
    f.interfaces.link(link(4, "eth1"));
    f.interfaces.linkGone(3);
    f.interfaces.link(link(4, "eth0"));
    await Promise.all([started, done]);
    await settle();
    expect(new Set(Object.values(f.announced()))).toEqual(new Set(["dev 4"]));
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])(
    "asks the filter again when a device gets another name %i turns later",
    async (turns) => {
      const noRed: Filter = {
        ...noA,
        asksDevices: true,
        apply: ({ attrs }, context) =>
          context.attrs.describe(attrs).nexthops.every(({ device }) => context.deviceName(device) !== "red"),
      };
      const hop = { via: "10.0.0.9", device: 3 };
      const recursive: RouteText = ["172.16.0.0/16", "recursive 192.0.2.9"];
      const plain = many(0, 20_000, "via 10.0.0.1");
      const f = fixture(configOf([...plain, recursive], { import: noRed }));
      f.interfaces.link(link(3, "eth0"));
      f.other("192.0.2.0/24", { nexthops: [hop] });
      await f.protocol.start();
      expect(Object.keys(f.announced())).toContain("172.16.0.0/16");
      const done = f.protocol.reconfigure(
        configOf([...plain, recursive, ["172.17.0.0/16", "blackhole"]], { import: noRed }),
      );
      for (let i = 0; i < turns; i++) await f.clock.yield();
      f.interfaces.link(link(3, "red"));
      await done;
      await f.clock.advance(100);
      expect(Object.keys(f.announced())).toHaveLength(plain.length + 1);
      expect(Object.keys(f.announced())).not.toContain("172.16.0.0/16");
      expect(await f.leftovers()).toEqual([0, 0, 0]);
    },
  );

  it.each([0, 1, 2, 5, 9])("ends when the protocol stops, %i turns later", async (turns) => {
    const f = fixture(configOf(many(0, 5000, "via 10.0.0.1")));
    const started = f.protocol.start();
    const first = f.protocol.reconfigure(configOf(many(2000, 7000, "recursive 192.0.2.9")));
    const second = f.protocol.reconfigure(configOf(many(4000, 9000, "via 10.0.0.3")));
    f.other("192.0.2.0/24", { nexthops: [{ via: "10.0.0.9" }] });
    for (let i = 0; i < turns; i++) await f.clock.yield();
    const stopped = f.protocol.stop();
    f.interfaces.link(link(3, "eth0"));
    await Promise.all([started, first, second, stopped, f.protocol.reload()]);
    expect(f.announced()).toEqual({});
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });
});

describe("what stood before and stands now", () => {
  const announcements = async (more: More, soft = false): Promise<number> => {
    const f = fixture(configOf([A, B], { import: noA }));
    await f.protocol.start();
    let asked = 0;
    const counting = (filter: Filter): Filter => ({
      ...filter,
      apply: (route, context) => {
        asked++;
        return filter.apply(route, context);
      },
    });
    const config = configOf([A, B, C], { import: noA, ...more });
    await f.protocol.reconfigure({ ...config, import: counting(config.import) }, soft);
    expect(await f.leftovers()).toEqual([0, 0, 0]);
    return asked;
  };

  it.each<[string, More, boolean, number]>([
    ["is not announced again to the same filter", {}, false, 1],
    ["is to another filter", { import: { ...noA, key: "other" } }, false, 3],
    ["not to one that is changed softly", { import: { ...noA, key: "other" } }, true, 1],
    ["is with another preference", { preference: 100 }, false, 3],
  ])("%s", async (_, more, soft, asked) => {
    expect(await announcements(more, soft)).toBe(asked);
  });
});

describe("a reconfiguration that fails", () => {
  it("leaves nothing out of the next one", async () => {
    let broken = false;
    const moody: Filter = {
      ...noA,
      apply: () => {
        if (broken) throw new Error("a mistake in a filter");
        return true;
      },
    };
    const f = fixture(configOf([A], { import: moody }));
    await f.protocol.start();
    broken = true;
    await expect(f.protocol.reconfigure(configOf([A, B], { import: moody }))).rejects.toThrow("a mistake");
    broken = false;
    await f.protocol.reconfigure(configOf([A, B, C], { import: moody }));
    expect(Object.keys(f.announced())).toEqual(["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]);
    await f.protocol.stop();
  });
});

describe("StaticProtocol.reload()", () => {
  it("announces everything again, and an import filter is asked again", async () => {
    let open = false;
    const moody: Filter = { ...noA, apply: () => open };
    const f = fixture(configOf([A, B], { import: moody }));
    await f.protocol.start();
    expect(f.announced()).toEqual({});
    open = true;
    await f.protocol.reload();
    expect(Object.keys(f.announced())).toEqual(["10.1.0.0/16", "10.2.0.0/16"]);
    f.changes.length = 0;
    await f.protocol.reload();
    expect(f.changes).toEqual([]);
    expect(f.protocol.channels[0]!.stats.importUpdates).toMatchObject({
      accepted: 2,
      ignored: 2,
      filtered: 2,
    });
    expect(await f.leftovers()).toEqual([0, 0, 0]);
  });
});
