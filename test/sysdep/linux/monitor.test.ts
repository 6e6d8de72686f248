/** Notifications become events; what cannot be read becomes a loss. */

import { describe, expect, it } from "vitest";
import { RouteMonitor } from "../../../src/sysdep/linux/monitor.ts";
import {
  NLM_F_REPLACE,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEXTHOP,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
} from "../../../src/sysdep/linux/netlink/constants.ts";
import { FakeTransport } from "../../support/fake-transport.ts";
import { capturedMessages } from "../../support/netlink-fixtures.ts";

const link = capturedMessages("links").find(({ bytes }) => bytes[0] === 0)!.bytes;
const address = capturedMessages("addresses").find(({ bytes }) => bytes[0] === 2)!.bytes;
const route = capturedMessages("routes-ipv4")[0]!.bytes;
const ifindex = new DataView(link.buffer, link.byteOffset).getInt32(4, true);

async function start() {
  const transport = new FakeTransport();
  const monitor = new RouteMonitor(transport);
  const seen: string[] = [];
  const subscription = await monitor.start({
    link: (info) => seen.push(`link ${info.ifindex}`),
    linkGone: (index) => seen.push(`link ${index} gone`),
    address: () => seen.push("address"),
    nexthopGone: () => seen.push("nexthop gone"),
    addressGone: () => seen.push("address gone"),
    route: ({ family }, change) => seen.push(`route ${family}${change === "gone" ? " gone" : ""}`),
    lost: (reason) => seen.push(`lost: ${reason}`),
  });
  return { transport, monitor, seen, subscription };
}

describe("RouteMonitor", () => {
  it("joins links, addresses and routes of both families", async () => {
    expect((await start()).transport.groups).toEqual([1, 5, 9, 7, 11, 32]);
  });

  it("takes nothing from a wireless event, which has a name and leaves out all else", async () => {
    const { transport, seen, monitor } = await start();
    const bytes = new Uint8Array(16 + 12 + 8);
    const view = new DataView(bytes.buffer);
    view.setInt32(4, 4, true);
    view.setUint16(16, 10, true);
    view.setUint16(18, 3, true);
    bytes.set(Buffer.from("wlan0\0"), 20);
    view.setUint16(28, 8, true);
    view.setUint16(30, 11, true);
    transport.notify(RTM_NEWLINK, bytes);
    // Older kernels leave out the name as well.
    transport.notify(RTM_NEWLINK, new Uint8Array([...bytes.subarray(0, 16), ...bytes.subarray(28)]));
    expect([seen, monitor.malformed]).toEqual([[], 0]);
  });

  it("tells links, addresses and routes, come and gone", async () => {
    const { transport, seen } = await start();
    transport.notify(RTM_NEWLINK, link);
    transport.notify(RTM_DELLINK, link);
    transport.notify(RTM_NEWADDR, address);
    transport.notify(RTM_DELADDR, address);
    transport.notify(RTM_NEWROUTE, route);
    transport.notify(RTM_DELROUTE, route);
    transport.notify(RTM_DELNEXTHOP, new Uint8Array(8));
    expect(seen).toEqual([
      `link ${ifindex}`,
      `link ${ifindex} gone`,
      "address",
      "address gone",
      "route 4",
      "route 4 gone",
      "nexthop gone",
    ]);
  });

  it("leaves out our own echoes, bridge ports and what it did not ask for", async () => {
    const { transport, seen } = await start();
    const bridge = link.slice();
    bridge[0] = 7;
    transport.notify(RTM_DELLINK, bridge);
    transport.notify(RTM_NEWLINK, bridge);
    transport.notify(RTM_NEWROUTE, route, true);
    transport.notify(52, new Uint8Array(4));
    expect(seen).toEqual([]);
  });

  it.each([
    ["new", RTM_NEWROUTE, 0x600, 77],
    ["replaced", RTM_NEWROUTE, NLM_F_REPLACE, 77],
    ["gone", RTM_DELROUTE, NLM_F_REPLACE, 0],
  ])("says of a route that it is %s, and whose port it was", async (change, type, flags, port) => {
    const transport = new FakeTransport();
    const seen: unknown[] = [];
    const nothing = { nexthopGone() {}, link() {}, linkGone() {}, address() {}, addressGone() {}, lost() {} };
    await new RouteMonitor(transport).start({
      ...nothing,
      route: (_, what, whose) => void seen.push(what, whose),
    });
    transport.notify(type, route, false, flags, port);
    expect(seen).toEqual([change, port]);
  });

  it.each([RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_DELROUTE])(
    "tells a message of type %i that cannot be read as a loss",
    async (type) => {
      const { transport, monitor, seen } = await start();
      transport.notify(type, Uint8Array.of(type === RTM_NEWLINK || type === RTM_DELLINK ? 0 : 2, 1));
      expect(seen).toEqual([`lost: a notification of type ${type} could not be decoded`]);
      expect(monitor.malformed).toBe(1);
    },
  );

  it("passes on losses of the transport, and is silent once closed", async () => {
    const { transport, seen, subscription } = await start();
    transport.lose("overrun");
    await subscription?.close();
    transport.notify(RTM_NEWROUTE, route);
    expect(seen).toEqual(["lost: overrun"]);
  });

  it("is null over a transport without notifications", async () => {
    const transport = new FakeTransport();
    transport.supportsMonitor = false;
    const sink = {
      nexthopGone() {},
      link() {},
      linkGone() {},
      address() {},
      addressGone() {},
      route() {},
      lost() {},
    };
    expect(await new RouteMonitor(transport).start(sink)).toBeNull();
  });
});
