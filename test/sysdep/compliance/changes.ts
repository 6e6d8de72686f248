/**
 * Compliance of what monitor() says of each route event: whether the route is new, took the place of another, or
 * is gone, and whether somebody asked for it or the kernel acted by itself. Learning rests on this.
 */

import { expect, it } from "vitest";
import type { MonitorSink } from "../../../src/sysdep/os.ts";
import { waitFor } from "../../support/netns.ts";
import { routeText } from "../../support/route-text.ts";
import { type ComplianceRig, D0, D1 } from "./rig.ts";

interface Row {
  readonly why: string;
  /** What stands there already. */
  readonly before: readonly string[];
  readonly commands: readonly string[];
  /** "CHANGE by WHOM: PROTOCOL NEXTHOPS", in order. */
  readonly events: readonly string[];
}

const V4 = "192.0.2.0/24";
const V6 = "2001:db8:10::/48";
const [A4, B4] = ["10.0.0.2", "10.0.0.3"];
const [A6, B6, C6] = ["2001:db8::2", "2001:db8::3", "2001:db8:1::2"];
const dev0 = `dev ${D0}`;
const dev1 = `dev ${D1}`;

const ROWS4: readonly Row[] = [
  {
    why: "add, and one that is refused",
    before: [],
    commands: [`route add ${V4} via ${A4}`],
    events: [`new by somebody: 3 via ${A4} ${dev0}`],
  },
  {
    why: "replace of a different route, whoever owns it",
    before: [`route add ${V4} via ${A4} proto 120`],
    commands: [`route replace ${V4} via ${B4} proto 4`],
    events: [`replaced by somebody: 4 via ${B4} ${dev0}`],
  },
  {
    why: "replace by the very same: nothing happened",
    before: [`route add ${V4} via ${A4}`],
    commands: [`route replace ${V4} via ${A4}`],
    events: [],
  },
  {
    why: "replace of nothing",
    before: [],
    commands: [`route replace ${V4} via ${A4}`],
    events: [`new by somebody: 3 via ${A4} ${dev0}`],
  },
  {
    why: "replace of nothing of that metric",
    before: [`route add ${V4} via ${A4}`],
    commands: [`route replace ${V4} via ${A4} metric 7`],
    events: [`new by somebody: 3 via ${A4} ${dev0}`],
  },
  {
    why: "change",
    before: [`route add ${V4} via ${A4}`],
    commands: [`route change ${V4} via ${B4}`],
    events: [`replaced by somebody: 3 via ${B4} ${dev0}`],
  },
  {
    why: "append and prepend",
    before: [`route add ${V4} via ${A4}`],
    commands: [`route append ${V4} via ${B4}`, `route prepend ${V4} via ${B4} proto 4`],
    events: [`new by somebody: 3 via ${B4} ${dev0}`, `new by somebody: 4 via ${B4} ${dev0}`],
  },
  {
    why: "replace of a gateway by a blackhole, and of that by several nexthops",
    before: [`route add ${V4} via ${A4}`],
    commands: [`route replace blackhole ${V4}`, `route replace ${V4} nexthop via ${A4} nexthop via 10.1.0.2`],
    events: ["replaced by somebody: 3", `replaced by somebody: 3 via ${A4} ${dev0} | via 10.1.0.2 ${dev1}`],
  },
  {
    why: "del",
    before: [`route add ${V4} via ${A4}`, `route append ${V4} via ${B4}`],
    commands: [`route del ${V4}`],
    events: [`gone by somebody: 3 via ${A4} ${dev0}`],
  },
  {
    why: "the loss of a preferred source",
    before: ["addr add 10.5.0.1/32 dev d1", `route add ${V4} via ${A4} src 10.5.0.1`],
    commands: ["addr del 10.5.0.1/32 dev d1"],
    events: [`gone by the kernel: 3 via ${A4} ${dev0} | src 10.5.0.1`],
  },
  {
    why: "a device that goes down: silence",
    before: [`route add ${V4} via ${A4}`],
    commands: ["link set d0 down"],
    events: [],
  },
];

const ROWS6: readonly Row[] = [
  {
    why: "add",
    before: [],
    commands: [`route add ${V6} via ${A6}`],
    events: [`new by somebody: 3 via ${A6} ${dev0}`],
  },
  {
    why: "replace of a different route, whoever owns it",
    before: [`route add ${V6} via ${A6} proto 120`],
    commands: [`route replace ${V6} via ${B6} proto 4`],
    events: [`replaced by somebody: 4 via ${B6} ${dev0}`],
  },
  {
    why: "replace by the very same, which IPv6 tells too",
    before: [`route add ${V6} via ${A6}`],
    commands: [`route replace ${V6} via ${A6}`],
    events: [`replaced by somebody: 3 via ${A6} ${dev0}`],
  },
  {
    why: "replace of nothing",
    before: [],
    commands: [`route replace ${V6} via ${A6}`],
    events: [`new by somebody: 3 via ${A6} ${dev0}`],
  },
  {
    why: "replace of nothing by several nexthops, which the kernel calls a replacement",
    before: [],
    commands: [`route replace ${V6} nexthop via ${A6} nexthop via ${C6}`],
    events: [`replaced by somebody: 3 via ${A6} ${dev0} | via ${C6} ${dev1}`],
  },
  {
    why: "change of all nexthops of a multipath route at once",
    before: [`route add ${V6} nexthop via ${A6} nexthop via ${C6}`],
    commands: [`route change ${V6} via ${B6}`],
    events: [`replaced by somebody: 3 via ${B6} ${dev0}`],
  },
  {
    why: "append and prepend: the whole multipath route, with the attributes of the new nexthop",
    before: [`route add ${V6} via ${A6} proto 120`],
    commands: [`route append ${V6} via ${B6} proto 4`, `route prepend ${V6} via ${C6} proto 5`],
    events: [
      `new by somebody: 4 via ${A6} ${dev0} | via ${B6} ${dev0}`,
      `new by somebody: 5 via ${A6} ${dev0} | via ${B6} ${dev0} | via ${C6} ${dev1}`,
    ],
  },
  {
    why: "append of several nexthops: with the attributes of the first that was there",
    before: [`route add ${V6} via ${A6} proto 120`],
    commands: [`route append ${V6} proto 4 nexthop via ${B6} nexthop via ${C6}`],
    events: [`new by somebody: 120 via ${A6} ${dev0} | via ${B6} ${dev0} | via ${C6} ${dev1}`],
  },
  {
    why: "replace in its class only, though the route of the other class has the same key",
    before: [`route add ${V6} via ${A6}`, `route append ${V6} dev d0`],
    commands: [`route replace ${V6} dev d1`, `route replace ${V6} via ${B6}`],
    events: [`replaced by somebody: 3 ${dev1}`, `replaced by somebody: 3 via ${B6} ${dev0}`],
  },
  {
    why: "replace of a device route by a gateway, as there is none of that class",
    before: [`route add ${V6} dev d0`],
    commands: [`route replace ${V6} via ${A6}`],
    events: [`replaced by somebody: 3 via ${A6} ${dev0}`],
  },
  {
    why: "del of one nexthop, then of the rest",
    before: [`route add ${V6} nexthop via ${A6} nexthop via ${B6} nexthop via ${C6}`],
    commands: [`route del ${V6} via ${B6}`, `route del ${V6}`],
    events: [
      `gone by somebody: 3 via ${B6} ${dev0}`,
      `gone by somebody: 3 via ${A6} ${dev0} | via ${C6} ${dev1}`,
    ],
  },
  {
    why: "a device that goes down",
    before: [`route add ${V6} via ${A6}`],
    commands: ["link set d0 down"],
    events: [`gone by the kernel: 3 via ${A6} ${dev0}`],
  },
  {
    why: "the last devices of a multipath route that go down: nexthop by nexthop",
    before: [`route add ${V6} nexthop via ${A6} nexthop via ${C6}`],
    commands: ["link set d0 down", "link set d1 down"],
    events: [`gone by the kernel: 3 via ${A6} ${dev0}`, `gone by the kernel: 3 via ${C6} ${dev1}`],
  },
  {
    why: "the loss of a preferred source: silence",
    before: ["addr add 2001:db8:5::1/128 dev d1 nodad", `route add ${V6} via ${A6} src 2001:db8:5::1`],
    commands: ["addr del 2001:db8:5::1/128 dev d1"],
    events: [],
  },
];

/** When it is seen to go, everything before it was seen. */
const MARKER = "192.88.99.1/32";

async function run(rig: ComplianceRig, row: Row, prefix: string): Promise<string[] | null> {
  const seen: string[] = [];
  let marked = false;
  const sink: MonitorSink = {
    link() {},
    linkGone() {},
    address() {},
    nexthopGone: () => {},
    addressGone() {},
    lost: (reason) => seen.push(`lost: ${reason}`),
    route: (route, change, port) => {
      const text = routeText(route);
      if (text.includes(MARKER)) marked ||= change === "gone";
      if (!text.includes(`${prefix} `)) return;
      const [, ...hops] = text.split(" | ");
      const by = port === 0 ? "the kernel" : "somebody";
      seen.push(`${change} by ${by}: ${[route.protocol, hops.join(" | ")].join(" ").trimEnd()}`);
    },
  };
  await rig.ip(...row.before);
  const monitor = await rig.os.monitor(sink);
  if (monitor === null) return null;
  try {
    await rig.ip(...row.commands, `route add blackhole ${MARKER}`, `route del blackhole ${MARKER}`);
    await waitFor("the marker is gone", () => marked);
  } finally {
    await monitor.close();
  }
  return seen;
}

export function changeCases(rig: () => ComplianceRig): void {
  for (const [family, prefix, rows] of [[4, V4, ROWS4] as const, [6, V6, ROWS6] as const]) {
    it.each(rows)(`tells IPv${family} changes for what they are: $why`, async (row) => {
      const seen = await run(rig(), row, prefix);
      if (seen === null) expect(rig().os.transport).toBe("node-netlink");
      else expect(seen).toEqual(row.events);
    });
  }

  it("tells connected routes as the kernel's own", async () => {
    const row = {
      why: "",
      before: [],
      commands: ["addr add 10.6.0.1/24 dev d1", "addr del 10.6.0.1/24 dev d1"],
    };
    const seen = await run(rig(), { ...row, events: [] }, "10.6.0.0/24");
    if (seen === null) expect(rig().os.transport).toBe("node-netlink");
    else {
      const hop = `2 ${dev1} | src 10.6.0.1`;
      expect(seen).toEqual([`new by the kernel: ${hop}`, `gone by the kernel: ${hop}`]);
    }
  });
}
