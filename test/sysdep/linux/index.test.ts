/** The Linux backend as one Os: what it asks of its transport, and its counters. */

import { describe, expect, it } from "vitest";
import { EINVAL, EPERM } from "../../../src/lib/errno.ts";
import { silentLog } from "../../../src/lib/log.ts";
import { LinuxOs, openLinuxOs } from "../../../src/sysdep/linux/index.ts";
import {
  RTM_DELNEXTHOP,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_NEWROUTE,
} from "../../../src/sysdep/linux/netlink/constants.ts";
import { FakeTransport } from "../../support/fake-transport.ts";
import { capturedMessages } from "../../support/netlink-fixtures.ts";

const attrs = { words: new Int32Array(0), offset: () => 0 };

function setUp() {
  const transport = new FakeTransport();
  return { transport, os: new LinuxOs(transport, { attrs, log: silentLog }) };
}

describe("LinuxOs", () => {
  it.each([
    [EPERM, false],
    [EINVAL, true],
  ])("mayWrite() takes errno %i as %s", async (errno, allowed) => {
    const { transport, os } = setUp();
    transport.autoAnswer = { errors: new Map([[0, { errno, message: null }]]), unknownFrom: null };
    expect(await os.mayWrite()).toBe(allowed);
    expect(transport.batches[0]).toMatchObject({ count: 1, messages: [{ type: RTM_NEWROUTE, flags: 5 }] });
    expect(os.counters.routeWrites).toBe(0);
  });

  it("has told what waited before scanInterfaces() shows anything", async () => {
    const { transport, os } = setUp();
    const seen: string[] = [];
    const link = () => void seen.push("link");
    const nothing = () => {};
    await os.monitor({
      link: nothing,
      address: nothing,
      linkGone: nothing,
      addressGone: nothing,
      nexthopGone: () => void seen.push("nexthop gone"),
      route: nothing,
      lost: nothing,
    });
    const [message] = capturedMessages("links");
    transport.answerDump = ({ type }) => {
      transport.unread.push({ type: RTM_DELNEXTHOP, payload: new Uint8Array(8) });
      return { messages: type === RTM_GETLINK ? [{ type: RTM_NEWLINK, payload: message!.bytes }] : [] };
    };
    await os.scanInterfaces({ link, address: nothing });
    expect(seen).toEqual(["nexthop gone", "nexthop gone", "link"]);
  });

  it("counts what the transport and the decoders count", async () => {
    const { transport, os } = setUp();
    Object.assign(transport.counters, { overruns: 1, truncated: 2, forged: 3, malformed: 4 });
    transport.answerDump = () => ({ messages: [{ type: RTM_NEWROUTE, payload: new Uint8Array(3) }] });
    await os.scanRoutes({ family: 6, table: 254 }, { route: () => {} });
    expect({ ...os.counters }).toEqual({
      overruns: 1,
      truncated: 2,
      forged: 3,
      malformed: 5,
      routeWrites: 0,
    });
  });
});

describe("openLinuxOs()", () => {
  it("refuses a namespace it cannot enter, by name", async () => {
    const os = openLinuxOs({
      transport: "socket",
      rxBufferBytes: 65536,
      attrs,
      log: silentLog,
      netns: "krtd-none",
    });
    await expect(os.open()).rejects.toMatchObject({ code: "netns-unavailable" });
  });

  it("refuses a namespace over node-netlink, which cannot open its sockets elsewhere", async () => {
    const os = openLinuxOs({
      transport: "node-netlink",
      rxBufferBytes: 0,
      attrs,
      log: silentLog,
      netns: "any",
    });
    await expect(os.open()).rejects.toMatchObject({ code: "unsupported" });
  });

  it("refuses to work before it is open", async () => {
    const os = openLinuxOs({ transport: "socket", rxBufferBytes: 65536, attrs, log: silentLog });
    await expect(os.mayWrite()).rejects.toMatchObject({ code: "not-open" });
  });
});
