/**
 * The second transport on the real kernel. Its library opens sockets where the process is, so the outer run
 * makes a namespace and runs this file once more inside it; there the tests proper are.
 */

import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/lib/log.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { openLinuxOs } from "../../src/sysdep/linux/index.ts";
import { type Os, ROUTE_ADD, ROUTE_DELETE, ROUTE_REPLACE } from "../../src/sysdep/os.ts";
import { createTopology } from "../support/netns.ts";
import { buildBatch, type OsChange, outcomes, RIG_TABLE } from "../support/os-rig.ts";
import { insideNetnsName, rerunInside } from "../support/rerun-inside.ts";
import { routeText } from "../support/route-text.ts";

const attrsTable = new AttrsTable();

async function withOs(fn: (os: Os) => Promise<void>): Promise<void> {
  const os = openLinuxOs({ transport: "node-netlink", rxBufferBytes: 0, attrs: attrsTable, log: silentLog });
  await os.open();
  try {
    await fn(os);
  } finally {
    await os.close();
  }
}

async function write(os: Os, changes: readonly OsChange[]): Promise<(number | string)[]> {
  const batch = buildBatch(changes, attrsTable);
  await os.writeRoutes(batch);
  return outcomes(batch);
}

async function scan(os: Os, family: 4 | 6, table = RIG_TABLE) {
  const routes: string[] = [];
  const outcome = await os.scanRoutes({ family, table }, { route: (route) => routes.push(routeText(route)) });
  return { complete: outcome.complete, routes };
}

const via = (gateway: string) => ({ nexthops: [{ via: gateway }] });

function inside(): void {
  describe("node-netlink transport", () => {
    it.each([
      [4, "192.0.2.0/24", "10.0.0.2", "10.0.0.3"],
      [6, "2001:db8:2::/48", "2001:db8:0:1::2", "2001:db8:0:1::3"],
    ] as const)("adds, replaces, deletes and scans IPv%i", (family, prefix, one, two) =>
      withOs(async (os) => {
        expect(await write(os, [{ op: ROUTE_ADD, prefix, attrs: via(one) }])).toEqual([0]);
        expect(await write(os, [{ op: ROUTE_REPLACE, prefix, attrs: via(two) }])).toEqual([0]);
        const shown = await scan(os, family);
        expect([shown.complete, shown.routes.length, shown.routes[0]?.includes(`via ${two} `)]).toEqual([
          true,
          1,
          true,
        ]);
        expect(await write(os, [{ op: ROUTE_DELETE, prefix, attrs: via(two) }])).toEqual([0]);
        expect(await scan(os, family)).toEqual({ complete: true, routes: [] });
      }),
    );

    it("maps failures to their places and applies all others", () =>
      withOs(async (os) => {
        const changes = [
          { op: ROUTE_ADD, prefix: "192.0.2.0/24", attrs: via("10.0.0.2") },
          { op: ROUTE_ADD, prefix: "192.0.2.0/24", attrs: via("10.0.0.3") },
          { op: ROUTE_ADD, prefix: "198.51.100.0/24", attrs: via("172.16.0.1") },
          { op: ROUTE_DELETE, prefix: "203.0.113.0/24", attrs: via("10.0.0.2") },
          { op: ROUTE_DELETE, prefix: "192.0.2.0/24", attrs: via("10.0.0.2") },
        ];
        expect(await write(os, changes)).toEqual([0, 17, 101, 0, 0]);
        expect((await scan(os, 4)).routes).toEqual([]);
      }));

    it("scans thousands of routes and keeps the order of batches", () =>
      withOs(async (os) => {
        const changes = (op: number): OsChange[] =>
          Array.from({ length: 2000 }, (_, i) => ({
            op,
            prefix: `12.0.${i >> 8}.${i & 255}/32`,
            attrs: via("10.0.0.2"),
          }));
        expect([...new Set(await write(os, changes(ROUTE_ADD)))]).toEqual([0]);
        expect((await scan(os, 4)).routes.length).toBe(2000);
        const again = [
          write(os, changes(ROUTE_DELETE)),
          write(os, changes(ROUTE_ADD)),
          write(os, changes(ROUTE_DELETE)),
        ];
        expect([...new Set((await Promise.all(again)).flat())]).toEqual([0]);
        expect((await scan(os, 4)).routes).toEqual([]);
      }));

    it("scans interfaces, may write, and has no monitor", () =>
      withOs(async (os) => {
        const names: string[] = [];
        let addresses = 0;
        const outcome = await os.scanInterfaces({
          link: ({ name }) => names.push(name),
          address: () => addresses++,
        });
        expect([outcome.complete, names.sort(), addresses >= 4]).toEqual([true, ["lo", "v0", "v1"], true]);
        expect(await os.mayWrite()).toBe(true);
        const sink = {
          nexthopGone() {},
          link() {},
          linkGone() {},
          address() {},
          addressGone() {},
          route() {},
          lost() {},
        };
        expect(await os.monitor(sink)).toBeNull();
      }));
  });
}

function outside(): void {
  describe("node-netlink transport", () => {
    it("passes all its tests in a process inside a namespace", async () => {
      const ns = await createTopology();
      try {
        const { code, output } = await rerunInside(ns, import.meta.url);
        expect(output).toMatch(/Tests {2}5 passed \(5\)/);
        expect([code, /could not find pending request/.test(output)]).toEqual([0, false]);
      } finally {
        await ns.dispose();
      }
    });
  });
}

if (insideNetnsName() === null) outside();
else inside();
