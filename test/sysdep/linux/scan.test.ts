/** Scanning one table: what is handed over, what makes a scan unfit to prune, and the fallbacks. */

import { describe, expect, it } from "vitest";
import { EBUSY, EINVAL, ENOENT } from "../../../src/lib/errno.ts";
import { putIpv4, putU32 } from "../../../src/sysdep/linux/netlink/attribute.ts";
import {
  RTA_DST,
  RTA_TABLE,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from "../../../src/sysdep/linux/netlink/constants.ts";
import { RouteScanner } from "../../../src/sysdep/linux/scan.ts";
import { FakeTransport } from "../../support/fake-transport.ts";

/** An rtmsg of 192.0.<third>.0/24 in `table`. */
function route(third: number, table: number): Uint8Array {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  bytes.set([2, 24, 0, 0, table > 255 ? 252 : table, 4, 0, 1]);
  putIpv4(view, 12, RTA_DST, 0xc0000000 | (third << 8) | 0);
  putU32(view, 20, RTA_TABLE, table);
  return bytes;
}

async function scan(transport: FakeTransport, table: number) {
  const scanner = new RouteScanner(transport);
  const seen: number[] = [];
  const outcome = await scanner.scan(
    { family: 4, table },
    { route: ({ w0 }) => seen.push((w0 >>> 8) & 0xff) },
  );
  return { outcome, seen, scanner };
}

describe("RouteScanner", () => {
  it("hands over the routes of the table alone, whatever the kernel dumps", async () => {
    const transport = new FakeTransport();
    const messages = [route(1, 254), route(2, 1000), route(3, 254), route(4, 252)];
    transport.answerDump = () => ({
      messages: [
        ...messages.map((payload) => ({ type: RTM_NEWROUTE, payload })),
        { type: RTM_DELROUTE, payload: route(5, 254) },
      ],
    });
    expect((await scan(transport, 254)).seen).toEqual([1, 3]);
    const { outcome, seen } = await scan(transport, 1000);
    expect([outcome, seen]).toEqual([{ complete: true, reason: null, messages: 5 }, [2]]);
    expect(transport.dumps.map(({ type }) => type)).toEqual([RTM_GETROUTE, RTM_GETROUTE]);
  });

  it("takes a table that does not exist as empty and complete", async () => {
    const transport = new FakeTransport();
    transport.answerDump = () => ({ reply: { complete: false, errno: ENOENT, reason: "no such table" } });
    expect((await scan(transport, 999)).outcome).toEqual({ complete: true, reason: null, messages: 0 });
  });

  it("dumps without a filter when the kernel refuses it", async () => {
    const transport = new FakeTransport();
    transport.answerDump = (request) =>
      request.payload.length > 12
        ? { reply: { complete: false, errno: EINVAL, reason: "EINVAL" } }
        : { messages: [route(1, 254), route(2, 1000)].map((payload) => ({ type: RTM_NEWROUTE, payload })) };
    const { outcome, seen } = await scan(transport, 1000);
    expect([outcome.complete, seen]).toEqual([true, [2]]);
    expect([...transport.dumps[1]!.payload]).toEqual([2, ...new Array(11).fill(0)]);
  });

  it("is incomplete when the dump was", async () => {
    const transport = new FakeTransport();
    transport.answerDump = () => ({ reply: { complete: false, errno: EBUSY, reason: "busy" } });
    expect((await scan(transport, 254)).outcome).toEqual({ complete: false, reason: "busy", messages: 0 });
    expect(transport.dumps.length).toBe(1);
  });

  it("is incomplete, and counts, when a route could not be decoded", async () => {
    const transport = new FakeTransport();
    transport.answerDump = () => ({ messages: [{ type: RTM_NEWROUTE, payload: new Uint8Array(5) }] });
    const { outcome, scanner } = await scan(transport, 254);
    expect(outcome).toEqual({ complete: false, reason: "1 messages could not be decoded", messages: 1 });
    expect(scanner.malformed).toBe(1);
  });
});
