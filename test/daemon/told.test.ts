/** What krtctl tells of protocols that do not run, and of what is done to protocols. */

import { describe, expect, it } from "vitest";
import type { KrtInput } from "../../src/config/input.ts";
import type { ProtocolJson, StaticRouteJson } from "../../src/control/json.ts";
import { modelKrtctl } from "../support/model-krtctl.ts";
import { startDaemon } from "./fixture.ts";

const CONFIG: KrtInput = {
  tables: { blue: { family: "ipv4" } },
  kernel: { k4: { table: "master4" } },
  static: {
    s: {
      table: "master4",
      routes: [
        { prefix: "10.5.0.0/16", via: "10.0.0.2", dev: "d0", mtu: 1400, metric: 50 },
        { prefix: "10.6.0.0/16", nexthops: [{ via: "10.0.0.2" }, { via: "10.1.0.2", weight: 3 }] },
        { prefix: "10.7.0.0/16", recursive: "10.5.0.1" },
        { prefix: "10.8.0.0/16", type: "prohibit" },
      ],
    },
    linked: { table: "master4", "check-link": true, routes: [{ prefix: "10.9.0.0/16", dev: "late0" }] },
  },
  pipe: { p: { table: "blue", "peer-table": "master4", import: "all", export: "none" } },
};

describe("a static protocol that was disabled", () => {
  it("shows its routes as they are configured, and why they are not in the table", async () => {
    await using d = await startDaemon(CONFIG);
    await using krtctl = await modelKrtctl(d);
    expect((await krtctl.run("disable", "s")).code).toBe(0);
    expect((await krtctl.run("show", "static", "s")).out).toBe(
      `10.5.0.0/16 via 10.0.0.2 dev d0 metric 50 mtu 1400 [s] not in the table: s is disabled
10.6.0.0/16 nexthop via 10.0.0.2 weight 1 nexthop via 10.1.0.2 weight 3 [s] not in the table: s is disabled
10.7.0.0/16 recursive 10.5.0.1 [s] not in the table: s is disabled
prohibit 10.8.0.0/16 [s] not in the table: s is disabled
4 static routes: 4 not in the table
`,
    );
    const [first] = await krtctl.json<StaticRouteJson[]>("show", "static", "s");
    expect(first).toMatchObject({ gateway: "10.0.0.2", "in-table": false, reason: "s is disabled" });
    expect(first).not.toHaveProperty("unresolved");
  });

  it("is named by explain, with what brings the route back", async () => {
    await using d = await startDaemon(CONFIG);
    await using krtctl = await modelKrtctl(d);
    await krtctl.run("disable", "s");
    const told = await krtctl.run("explain", "10.5.0.0/16");
    expect(told.code).toBe(0);
    expect(told.out).toContain(
      "10.5.0.0/16 in table master4: not installed\nProtocol s knows the route, but is disabled: krtctl enable s.\n",
    );
    expect(told.out).toMatch(/^no source +s knows it, but is disabled$/m);
    expect((await krtctl.run("explain", "10.55.0.0/16")).code, "nobody knows that one").toBe(6);
  });
});

describe("what is done to protocols", () => {
  it("tells bad configuration as configure does", async () => {
    await using d = await startDaemon(CONFIG);
    await using krtctl = await modelKrtctl(d);
    await d.write("static: {s: {table: master4, routes: [{prefix: 10.5.0.0/16, vla: 10.0.0.2}]}}");
    const told = await krtctl.run("reload", "s");
    expect(told.code).toBe(4);
    expect(told.err).toMatch(/krt\.yaml:1:\d+: .*vla.*\n.*prefix: 10\.5\.0\.0\/16/);
    expect(told.err).toContain("\n  Nothing was changed: the routes that run stay.\n");
    const { code, out } = await krtctl.run("reload", "*");
    expect(code).toBe(4);
    expect(out).toMatch(/^k4: reloaded$/m);
    expect(out).toMatch(/^s: not reloaded: bad configuration:\n.*krt\.yaml:1:\d+: /m);
  });

  it("is well when it was so before, and with device protocols under a glob", async () => {
    await using d = await startDaemon(CONFIG);
    await using krtctl = await modelKrtctl(d);
    await krtctl.run("disable", "s");
    expect(await krtctl.run("disable", "s")).toEqual({ code: 0, out: "s: disabled already\n", err: "" });
    expect(await krtctl.run("disable", "all")).toMatchObject({
      code: 0,
      out: "p: disabled\nlinked: disabled\ns: disabled already\nk4: disabled\n",
    });
    expect((await krtctl.run("restart", "s")).code).toBe(1);
    expect((await krtctl.run("enable", "*")).code).toBe(0);
    expect((await krtctl.run("disable", "device")).code).toBe(1);
  });

  it("leaves no words about what a protocol that does not run would do", async () => {
    await using d = await startDaemon(CONFIG);
    await using krtctl = await modelKrtctl(d);
    await krtctl.run("disable", "k4");
    await d.write({ ...CONFIG, kernel: { k4: { table: "master4", metric: 77, "scan-time": "5s" } } });
    expect((await krtctl.run("configure")).code).toBe(0);
    const [k4] = await krtctl.json<ProtocolJson[]>("show", "protocols", "k4");
    expect(k4).toMatchObject({ state: "down", disabled: true, info: "" });
    expect((await krtctl.run("enable", "k4")).code).toBe(0);
  });
});

describe("a kernel protocol whose network namespace is not there", () => {
  const NETNS: KrtInput = {
    tables: { blue: { family: "ipv4" } },
    kernel: { k4: { table: "master4" }, bluek: { table: "blue", netns: "blue", "kernel-table": 77 } },
    static: { b: { table: "blue", routes: [{ prefix: "10.5.0.0/16", via: "10.0.0.2", dev: "d0" }] } },
  };
  const WHY = "bluek is down: There is no network namespace blue";

  it("is named, and why it is down, by all that speaks of its table", async () => {
    await using d = await startDaemon({});
    await using krtctl = await modelKrtctl(d);
    await d.write(NETNS);
    expect((await krtctl.run("configure")).code).toBe(0);
    const told = async (...words: readonly string[]): Promise<string> => (await krtctl.run(...words)).out;
    expect(await told("show", "routes", "--no-legend")).toBe(
      `10.5.0.0/16 via 10.0.0.2 dev d0 table blue [b] none: ${WHY}\n`,
    );
    const explained = await told("explain", "10.5.0.0/16", "table", "blue");
    expect(explained).toContain(`not installed\nKernel protocol ${WHY}.\n`);
    expect(explained).toMatch(new RegExp(`^no export-filter +${WHY}$`, "m"));
    expect(await told("show", "protocols", "bluek")).toMatch(
      /^bluek kernel blue down .* There is no network namespace blue$/m,
    );
    expect(await told("show", "tables")).toMatch(/^blue ipv4 1 1 77 bluek netns blue$/m);
    const refusals: readonly (readonly [readonly string[], string])[] = [
      [["diff", "table", "blue"], `Cannot compare table blue with the kernel: ${WHY}`],
      [["show", "kernel", "table", "77"], `Cannot read the routes of kernel table 77: ${WHY}`],
    ];
    for (const [words, err] of refusals) {
      expect(await krtctl.run(...words)).toEqual({ code: 1, out: "", err: `krtctl: ${err}\n` });
    }
    await krtctl.run("disable", "bluek");
    expect(await told("show", "routes", "--no-legend")).toContain("none: bluek is disabled");
    expect(await told("explain", "10.5.0.0/16", "table", "blue")).toContain(
      "Kernel protocol bluek is disabled: krtctl enable bluek.\n",
    );
  });
});

describe("what the export filter changed", () => {
  it("is told by explain in the words of ip route, and what the kernel has of it", async () => {
    const set = {
      prefsrc: "10.0.0.1",
      metric: 77,
      mtu: 1300,
      advmss: 1260,
      initcwnd: 20,
      lock: ["mtu" as const],
      realm: 5,
    };
    await using d = await startDaemon({
      kernel: { k4: { table: "master4", export: "shape" } },
      static: { s: { table: "master4", routes: [{ prefix: "10.5.0.0/16", via: "10.0.0.2" }] } },
      filters: { shape: [{ set, action: "accept" }] },
    });
    await using krtctl = await modelKrtctl(d);
    const { out } = await krtctl.run("explain", "10.5.0.0/16");
    const attrs = "src 10.0.0.1 metric 77 realm 5 mtu lock 1300 advmss 1260 initcwnd 20";
    expect(out).toContain(`k4's filter "shape" let it pass as via 10.0.0.2 ${attrs}\n`);
    expect(out).toContain(`table main (254) has 10.5.0.0/16 via 10.0.0.2 dev d0 proto krtd ${attrs}\n`);
  });
});

describe("a static route without a link", () => {
  it("is shown as it is configured", async () => {
    await using d = await startDaemon(CONFIG);
    await using krtctl = await modelKrtctl(d);
    expect((await krtctl.run("show", "static", "linked", "--no-legend")).out).toBe(
      "10.9.0.0/16 dev late0 [linked] unresolved: the link it leads over is down (check-link)\n",
    );
  });
});

describe("a pipe that was disabled", () => {
  it("is named by explain as what would bring the route", async () => {
    await using d = await startDaemon(CONFIG);
    await using krtctl = await modelKrtctl(d);
    await krtctl.run("disable", "p");
    const told = await krtctl.run("explain", "10.5.0.0/16", "table", "blue");
    expect(told.out).toContain(
      "Protocol p knows the route, but is disabled and brings nothing from table master4: krtctl enable p.\n",
    );
    // The other way it brings nothing when it runs, either.
    await krtctl.run("disable", "s");
    expect((await krtctl.run("explain", "10.5.0.0/16")).out).not.toContain("p knows");
  });
});
