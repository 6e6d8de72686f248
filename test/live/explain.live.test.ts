/**
 * explain on the real kernel: what it tells is what `ip` says and what krtd did, for each way in which a route can
 * fail to be there, and it tells the other thing as soon as that is put right.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ExplainJson } from "../../src/control/explain-json.ts";
import { configOf, FAMILIES } from "../support/families.ts";
import { ask } from "../support/http-unix.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createTopology, createVethPair, waitFor } from "../support/netns.ts";

async function explain(krtd: RunningKrtd, prefix: string, table?: string): Promise<ExplainJson> {
  const query = new URLSearchParams(table === undefined ? { prefix } : { prefix, table });
  const { status, text } = await ask(krtd.socket, `/v1/explain?${query}`);
  expect(status, text).toBe(200);
  return JSON.parse(text) as ExplainJson;
}

function step(answer: ExplainJson, name: string): string {
  const found = answer.steps.find((candidate) => candidate.step === name);
  return found === undefined ? "" : `${found.ok ? "ok" : "no"}: ${found.detail}`;
}

describe.each(FAMILIES)("IPv$family: explain", (it6) => {
  const { family, flag, gateway, otherGateway, farGateway, farAddress, net, table } = it6;

  it("says that a route is installed, and how it got there", async () => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, configOf(it6, [{ prefix: net(1), via: gateway }]));
    const answer = await explain(krtd, net(1));
    expect(answer).toMatchObject({ dst: net(1), table, verdict: "installed", rival: null });
    expect(answer.reason).toBe("The kernel has it as wanted.");
    expect(answer.steps.every(({ ok }) => ok)).toBe(true);
    const shown = `${net(1)} via ${gateway} dev v0 proto krtd metric 32`;
    expect(step(answer, "kernel")).toBe(`ok: table main (254) has ${shown}`);
    expect(answer["kernel-routes"]).toMatchObject([{ class: "ours", verdict: "seen", "protocol-id": 120 }]);
  });

  it("waits for a device, and says so until it comes", async () => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, configOf(it6, [{ prefix: net(1), dev: "late0" }]));
    const answer = await explain(krtd, net(1));
    expect(answer.verdict).toBe("not-installed");
    expect(answer.reason).toBe(
      'Device "late0" does not exist: create device "late0", and krtd installs the route by itself.',
    );
    expect(answer.steps.filter(({ ok }) => !ok).map((one) => one.step)).toEqual([
      "nexthop",
      "write",
      "kernel",
    ]);
    await createVethPair(ns, "late0", "peer0");
    const installed = async () => (await explain(krtd, net(1))).verdict === "installed";
    await waitFor("the route is installed", installed, 3000);
  });

  it("gives the kernel's own words for a gateway it cannot reach", async () => {
    await using ns = await createTopology();
    const { stderr } = await ns.tryIp(`route add ${net(9)} via ${farGateway} metric 7777`);
    const said = stderr.replace(/^(Error|RTNETLINK answers): /, "").replace(/\.?\s*$/, "");
    await using krtd = await startSynced(ns, configOf(it6, [{ prefix: net(1), via: farGateway }]));
    const answer = await explain(krtd, net(1));
    expect(answer.reason).toContain(`No address of an interface covers gateway ${farGateway}`);
    expect(step(answer, "write")).toContain(`no: ${said} (E`);
    await ns.ip(`addr add ${farAddress} dev v1${family === 6 ? " nodad" : ""}`);
    await waitFor(
      "the route is installed",
      async () => (await explain(krtd, net(1))).verdict === "installed",
    );
    expect(step(await explain(krtd, net(1)), "nexthop")).toBe(
      `ok: gateway ${farGateway} is on the link of "v1"`,
    );
  });

  it("names the rival that holds the key, and sees it go", async () => {
    await using ns = await createTopology();
    await ns.ip(`${flag} route add ${net(1)} via ${otherGateway} metric 32 proto static`);
    await using krtd = await startSynced(ns, configOf(it6, [{ prefix: net(1), via: gateway }]));
    const answer = await explain(krtd, net(1));
    const rival = `${net(1)} via ${otherGateway} dev v0 proto static metric 32`;
    expect(answer.verdict).toBe("not-installed");
    expect(answer.reason).toBe(
      `Its key is held by ${rival}: delete that one, or give krtd's route another metric than 32.`,
    );
    expect(answer.rival).toMatchObject({
      gateway: otherGateway,
      protocol: "static",
      metric: 32,
      class: "alien",
    });
    expect(step(answer, "key")).toContain(`held by ${rival}`);
    await ns.ip(`${flag} route del ${net(1)} metric 32 proto static`);
    await waitFor(
      "the route is installed",
      async () => (await explain(krtd, net(1))).verdict === "installed",
    );
  });

  it("tells a better metric of somebody else, and the longer prefix that an address meets", async () => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, configOf(it6, [{ prefix: net(1), via: gateway }]));
    await ns.ip(`${flag} route add ${net(1)} via ${otherGateway} metric 5 proto static`);
    expect((await explain(krtd, net(1))).reason).toBe(
      `The kernel has it as wanted, but takes ${net(1)} via ${otherGateway} dev v0 proto static metric 5 first: ` +
        "delete that one, or give krtd's route a metric below 5.",
    );
    const address = family === 4 ? net(1).replace(".0/24", ".7") : net(1).replace("::/48", "::7");
    const longer = `${address}/${family === 4 ? 32 : 128}`;
    await ns.ip(`${flag} route add ${longer} via ${otherGateway} metric 9 proto static`);
    const answer = await explain(krtd, address);
    expect(answer).toMatchObject({ dst: net(1), address, verdict: "installed" });
    expect(answer.reason).toContain(`${net(1)} is the longest match for ${address}`);
    expect(answer.reason).toContain(`for ${address} it takes the longer ${longer} via ${otherGateway}`);
  });

  it("says what the filter does, and that krtctl exits with 6 where there is nothing", async () => {
    await using ns = await createTopology();
    const reject = { match: { prefix: [net(1)] }, action: "reject" as const };
    const filters = { few: [reject, { action: "accept" as const }] };
    const routes = [
      { prefix: net(1), via: gateway },
      { prefix: net(2), via: gateway },
    ];
    const config = configOf(it6, routes, { kernel: { export: "few" }, root: { filters } });
    await using krtd = await startSynced(ns, config);
    const answer = await explain(krtd, net(1));
    expect(answer.reason).toBe(
      `The export filter "few" of kernel${family} turns it away: change the filter if it should be in the kernel.`,
    );
    expect(step(answer, "export-filter")).toBe(`no: kernel${family}'s filter "few" turned it away`);
    expect((await explain(krtd, net(2))).verdict).toBe("installed");
    const nothing = await krtd.ctl("explain", net(3));
    expect(nothing.code).toBe(6);
    expect(nothing.stdout).toContain(`${net(3)} in table ${table}: no such route\n`);
    expect((await krtd.ctl("explain", net(2))).code).toBe(0);
  });

  it("tells learned routes from foreign ones", async () => {
    await using ns = await createTopology();
    await ns.ip(`${flag} route add ${net(1)} via ${otherGateway} metric 7 proto zebra`);
    const learning = configOf(it6, [], { kernel: { learn: true } });
    {
      await using krtd = await startSynced(ns, learning);
      const answer = await explain(krtd, net(1));
      expect(answer.verdict).toBe("installed");
      expect(answer.reason).toBe(
        `The kernel has it from somebody else (proto zebra), and kernel${family} learned it.`,
      );
      expect(answer.route).toMatchObject({ source: `kernel${family}`, "source-type": "inherit" });
    }
    await using krtd = await startSynced(ns, configOf(it6, []));
    const answer = await explain(krtd, net(1));
    expect(answer.verdict).toBe("no-such-route");
    expect(answer.reason).toContain(`which kernel${family} does not learn`);
  });

  it("tells what covers a prefix that krtd does not know", async () => {
    await using ns = await createTopology();
    const all = family === 4 ? "0.0.0.0/0" : "::/0";
    await ns.ip(`${flag} route add default via ${otherGateway} metric 9 proto static`);
    await using krtd = await startSynced(ns, configOf(it6, [{ prefix: all, via: gateway }]));
    const answer = await explain(krtd, net(1));
    expect(answer.verdict).toBe("no-such-route");
    expect(answer.covering).toMatchObject({
      route: { dst: all, source: `static${family}` },
      // The lower metric is the one that the kernel takes.
      kernel: { dst: all, gateway: otherGateway, metric: 9 },
    });
  });
});

describe("explain beyond the kernel protocol", () => {
  const it4 = FAMILIES[0]!;
  const { net, gateway } = it4;

  it("says that krtd only observes", async () => {
    await using ns = await createTopology();
    const config = configOf(it4, [{ prefix: net(1), via: gateway }]);
    await using krtd = await startSynced(ns, config, { args: ["--observe"] });
    expect((await explain(krtd, net(1))).reason).toBe("Observe mode: krtd writes nothing.");
  });

  it("says that a recursive route has no way, and how it is installed once it has one", async () => {
    await using ns = await createTopology();
    const config = configOf(it4, [{ prefix: net(1), recursive: "172.31.0.9" }], {
      kernel: { learn: true },
    });
    await using krtd = await startSynced(ns, config);
    const answer = await explain(krtd, net(1));
    expect(answer).toMatchObject({ verdict: "not-installed", route: null });
    expect(answer.reason).toBe(
      "Protocol static4 knows the route, but no route it may follow leads to 172.31.0.9 (recursive).",
    );
    await ns.ip(`route add 172.31.0.0/24 via ${gateway} proto zebra`);
    await waitFor(
      "the route is installed",
      async () => (await explain(krtd, net(1))).verdict === "installed",
    );
  });

  it("says where a pipe keeps a route, and that a table has no kernel protocol", async () => {
    await using ns = await createTopology();
    const config = configOf(it4, [], {
      root: {
        tables: { blue4: { family: "ipv4" } },
        static: { lab: { table: "blue4", routes: [{ prefix: net(1), via: gateway }] } },
        pipe: { pipe1: { table: "master4", "peer-table": "blue4", import: "none", export: "all" } },
      },
    });
    await using krtd = await startSynced(ns, config);
    const answer = await explain(krtd, net(1));
    expect(answer.verdict).toBe("not-installed");
    expect(answer.reason).toMatch(/^Protocol pipe1 knows the route, but its filter "none" /);
    expect((await explain(krtd, net(1), "blue4")).reason).toMatch(
      /^No kernel protocol is attached to table blue4/,
    );
  });

  it("says that the kernel protocol is disabled, and how to enable it", async () => {
    await using ns = await createTopology();
    await using krtd = await startSynced(ns, configOf(it4, [{ prefix: net(1), via: gateway }]));
    expect((await krtd.ctl("disable", "kernel4")).code).toBe(0);
    expect((await explain(krtd, net(1))).reason).toBe(
      "Kernel protocol kernel4 is disabled: krtctl enable kernel4.",
    );
    expect((await krtd.ctl("diff", "table", "master4")).code).toBe(1);
    expect((await krtd.ctl("enable", "kernel4")).code).toBe(0);
    await waitFor(
      "the route is installed",
      async () => (await explain(krtd, net(1))).verdict === "installed",
    );
  });

  it("tells a filter that was changed softly from what it did before", async () => {
    await using ns = await createTopology();
    const routes = [{ prefix: net(1), via: gateway }];
    await using krtd = await startSynced(ns, configOf(it4, routes));
    const reject = { match: { prefix: [net(1)] }, action: "reject" as const };
    const filters = { few: [reject, { action: "accept" as const }] };
    const changed = configOf(it4, routes, { kernel: { export: "few" }, root: { filters } });
    await writeFile(join(krtd.directory, "krt.yaml"), changed);
    const { code, stderr } = await krtd.ctl("configure", "soft");
    expect(code, stderr).toBe(0);
    const answer = await explain(krtd, net(1));
    expect(answer.verdict).toBe("installed");
    expect(step(answer, "export-filter")).toContain("would not today");
    expect((await krtd.ctl("reload", "kernel4")).code).toBe(0);
    await waitFor("the route is gone", async () => (await explain(krtd, net(1))).verdict === "not-installed");
    expect((await explain(krtd, net(1))).reason).toContain(
      'The export filter "few" of kernel4 turns it away',
    );
  });
});
