import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { congestionId } from "../../../../src/lib/congestion-names.ts";
import { ATTRS_OPAQUE, AttrsDraft, RTNH_F_ONLINK } from "../../../../src/nest/attrs-draft.ts";
import {
  decodeRoute,
  encodeRouteDumpFilter,
  RouteEncoder,
  RouteView,
} from "../../../../src/sysdep/linux/rtnetlink/route.ts";
import { ROUTE_ADD, ROUTE_DELETE, ROUTE_REPLACE } from "../../../../src/sysdep/os.ts";
import { capturedMessages, placeMessage, routeArguments } from "../../../support/netlink-fixtures.ts";
import { randomRoute, tableOfOne } from "../../../support/route-arbitraries.ts";
import { routeText } from "../../../support/route-text.ts";

type Keyed = Pick<
  RouteView,
  "family" | "w0" | "w1" | "w2" | "w3" | "length" | "table" | "protocol" | "metric"
>;

const PREFIX: Keyed = {
  family: 4,
  w0: 0xc0000200 | 0,
  w1: 0,
  w2: 0,
  w3: 0,
  length: 24,
  table: 254,
  protocol: 120,
  metric: 32,
};
const PREFIX6: Keyed = { ...PREFIX, family: 6, w0: 0x20010db8, length: 32 };

/** Encodes at offset 8 of a buffer of `room` bytes after it; returns the message, or null for -1. */
function encoded(
  op: number,
  key: Keyed,
  attrs: AttrsDraft | null,
  options: { readonly room?: number; readonly sequence?: number; readonly extraFlags?: number } = {},
): Uint8Array | null {
  const { room = 65536, sequence = 7, extraFlags = 0 } = options;
  const bytes = new Uint8Array(8 + room).fill(0xcc);
  const view = new DataView(bytes.buffer);
  const encoder = new RouteEncoder(attrs === null ? tableOfOne(new AttrsDraft()) : tableOfOne(attrs));
  const { family, w0, w1, w2, w3, length, table, protocol, metric } = key;
  const id = attrs === null ? 0 : 1;
  const next = encoder.encode(
    bytes,
    view,
    8,
    op,
    family,
    w0,
    w1,
    w2,
    w3,
    length,
    table,
    protocol,
    metric,
    id,
    sequence,
    extraFlags,
  );
  const untouched = bytes.subarray(Math.max(next, 0));
  expect(untouched.every((byte) => byte === 0xcc)).toBe(true);
  return next < 0 ? null : bytes.slice(8, next);
}

function hex(message: Uint8Array | null): string {
  return message === null ? "" : Buffer.from(message).toString("hex");
}

function draft(type: number, ...steps: readonly ((attrs: AttrsDraft) => void)[]): AttrsDraft {
  const attrs = new AttrsDraft();
  attrs.reset(type);
  for (const step of steps) step(attrs);
  attrs.finish();
  return attrs;
}

const via = (attrs: AttrsDraft): void => attrs.addNexthop(4, 0x0a000009, 0, 0, 0, 10, 1, 0, 0);
const via6 = (attrs: AttrsDraft): void => attrs.addNexthop(6, 0x20010db8, 0, 0, 9, 10, 1, 0, 0);
const device = (attrs: AttrsDraft): void => attrs.addNexthop(0, 0, 0, 0, 0, 10, 1, 0, 0);

function decodedPayload(message: Uint8Array): RouteView | null {
  const { bytes, view, start, end } = placeMessage(message.subarray(16));
  const route = new RouteView();
  return decodeRoute(bytes, view, start, end, route) ? route : null;
}

/** nlmsghdr and rtmsg of `message`, as fields. */
function headers(message: Uint8Array | null) {
  const bytes = message!;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    nlmsgLength: view.getUint32(0, true),
    nlmsgType: view.getUint16(4, true),
    nlmsgFlags: view.getUint16(6, true),
    sequence: view.getUint32(8, true),
    scope: bytes[22],
    type: bytes[23],
    rtmFlags: view.getUint32(24, true),
  };
}

describe("RouteEncoder.encode()", () => {
  it("writes a route via a gateway, byte for byte", () => {
    expect(hex(encoded(ROUTE_ADD, PREFIX, draft(1, via)))).toBe(
      [
        "44000000" + "1800" + "0106" + "07000000" + "00000000", // 68 bytes, NEWROUTE, REQUEST|CREATE|EXCL
        "02180000fe78000100000000", // AF_INET /24, main, protocol 120, universe, unicast
        "08000f00fe000000", // RTA_TABLE
        "08000100c0000200", // RTA_DST
        "0800060020000000", // RTA_PRIORITY
        "080005000a000009", // RTA_GATEWAY
        "080004000a000000", // RTA_OIF
      ].join(""),
    );
  });

  it.each([
    ["ROUTE_ADD", ROUTE_ADD, { nlmsgType: 24, nlmsgFlags: 0x0601 }],
    ["ROUTE_REPLACE", ROUTE_REPLACE, { nlmsgType: 24, nlmsgFlags: 0x0501 }],
    ["ROUTE_DELETE", ROUTE_DELETE, { nlmsgType: 25, nlmsgFlags: 0x0001 }],
  ])("writes the type and flags of %s", (_name, op, expected) => {
    expect(headers(encoded(op, PREFIX, draft(1, via)))).toMatchObject(expected);
  });

  it("joins the extra flags and writes the sequence number", () => {
    const message = encoded(ROUTE_ADD, PREFIX, draft(1, via), { sequence: 0xfffffffe, extraFlags: 4 });
    expect(headers(message)).toMatchObject({ nlmsgFlags: 0x0605, sequence: 0xfffffffe });
  });

  it.each([
    ["link for a device alone", draft(1, device), 253],
    ["universe for a gateway", draft(1, via), 0],
    ["universe for a blackhole", draft(6), 0],
    ["universe when one of several has a gateway", draft(1, device, via), 0],
    ["link when none of several has a gateway", draft(1, device, device), 253],
    ["the scope that is set", draft(1, via, (a) => a.setScope(200)), 200],
  ])("chooses as IPv4 scope %s", (_why, attrs, scope) => {
    expect(headers(encoded(ROUTE_ADD, PREFIX, attrs)).scope).toBe(scope);
    expect(headers(encoded(ROUTE_ADD, PREFIX6, attrs)).scope).toBe(0);
  });

  it("puts onlink of one nexthop into rtm_flags and of several into rtnh_flags", () => {
    const onlink = (a: AttrsDraft): void => a.addNexthop(4, 1, 0, 0, 0, 10, 1, RTNH_F_ONLINK, 0);
    expect(headers(encoded(ROUTE_ADD, PREFIX, draft(1, onlink))).rtmFlags).toBe(4);
    const several = encoded(ROUTE_ADD, PREFIX, draft(1, onlink, via));
    expect(headers(several).rtmFlags).toBe(0);
    expect(routeText(decodedPayload(several!)!)).toContain("via 0.0.0.1 dev 10 onlink | via 10.0.0.9 dev 10");
  });

  it("writes an IPv6 gateway of an IPv4 route as RTA_VIA, with clean padding", () => {
    const attrs = draft(1, (a) => a.addNexthop(6, 0xfe800000 | 0, 0, 0, 9, 10, 1, 0, 0));
    const via = "16001200" + "0a00" + "fe800000000000000000000000000009" + "0000" + "080004000a000000";
    expect(hex(encoded(ROUTE_ADD, PREFIX, attrs)).slice(2 * 52)).toBe(via);
  });

  it("deletes in IPv4 by prefix, metric, protocol and table, whatever the attributes", () => {
    const attrs = draft(
      1,
      via,
      (a) => a.setPrefsrc(1, 0, 0, 0),
      (a) => a.setMetric(2, 1400),
    );
    const expected = [
      "34000000" + "1900" + "0100" + "07000000" + "00000000",
      "02180000fe78ff0000000000", // scope NOWHERE and type 0: any
      "08000f00fe000000" + "08000100c0000200" + "0800060020000000",
    ].join("");
    expect(hex(encoded(ROUTE_DELETE, PREFIX, attrs))).toBe(expected);
    expect(hex(encoded(ROUTE_DELETE, PREFIX, null))).toBe(expected);
  });

  it.each([
    [
      "its one gateway and device",
      draft(1, via6),
      "1400050020010db8000000000000000000000009" + "080004000a000000",
    ],
    ["its device", draft(1, device), "080004000a000000"],
    [
      "each of several",
      draft(1, via6, (a) => a.addNexthop(6, 0x20010db8, 0, 0, 5, 12, 9, 0, 0)),
      "3c000900" +
        ("1c000008" + "0c000000" + "1400050020010db8000000000000000000000005") +
        ("1c000000" + "0a000000" + "1400050020010db8000000000000000000000009"),
    ],
    ["nothing for a blackhole", draft(6), ""],
    ["nothing when nothing is known", null, ""],
  ])("deletes in IPv6 naming %s", (_why, attrs, nexthops) => {
    const message = hex(encoded(ROUTE_DELETE, PREFIX6, attrs));
    const key = "08000f00fe000000" + "1400010020010db8000000000000000000000000" + "0800060020000000";
    expect(message.slice(32)).toBe(`0a200000fe78000000000000${key}${nexthops}`);
  });

  it("leaves the destination out of a default route", () => {
    const message = encoded(ROUTE_ADD, { ...PREFIX, w0: 0, length: 0 }, draft(6));
    expect(hex(message).slice(56)).toBe("08000f00fe000000" + "0800060020000000");
  });

  it("writes the table id in full and 252 into rtm_table above 255", () => {
    const message = encoded(ROUTE_ADD, { ...PREFIX, table: 0xffffffff }, draft(6));
    expect(message![20]).toBe(252);
    expect(decodedPayload(message!)!.table).toBe(0xffffffff);
  });

  it("leaves out nexthops of reject types and a realm in IPv6", () => {
    expect(hex(encoded(ROUTE_ADD, PREFIX, draft(6, via)))).toBe(hex(encoded(ROUTE_ADD, PREFIX, draft(6))));
    const realm = draft(1, via6, (a) => a.setFlow(5));
    expect(hex(encoded(ROUTE_ADD, PREFIX6, realm))).toBe(hex(encoded(ROUTE_ADD, PREFIX6, draft(1, via6))));
  });

  it.each([
    ["reno", "0900" + "1000" + "72656e6f00" + "000000"],
    ["bbr", "0800" + "1000" + "62627200"],
  ])("writes congestion algorithm %s as its name, with its NUL and clean padding", (name, expected) => {
    const attrs = draft(
      6,
      (a) => a.setMetric(1, 2),
      (a) => a.setMetric(16, congestionId(name)),
      (a) => a.setMetric(17, 1),
    );
    const message = encoded(ROUTE_ADD, PREFIX, attrs);
    const before = "0800010002000000";
    const after = "0800110001000000";
    expect(hex(message)).toContain(before + expected + after);
    expect(routeText(decodedPayload(message!)!)).toMatch(
      new RegExp(` \\| rtax1 2 \\| congctl ${name} \\| rtax17 1$`),
    );
  });

  it("writes a congestion algorithm nobody named as an empty name, which the kernel refuses", () => {
    const attrs = draft(6, (a) => a.setMetric(16, 0x7fff_ffff));
    expect(hex(encoded(ROUTE_ADD, PREFIX, attrs))).toMatch(/0c0008800500100000000000$/);
  });

  it("returns -1 and writes nothing when the message is one byte too long, of every kind", () => {
    fc.assert(
      fc.property(randomRoute(), fc.constantFrom(ROUTE_ADD, ROUTE_DELETE), (route, op) => {
        const [w0, w1, w2, w3] = route.words;
        const key = { ...route, w0, w1, w2, w3 };
        const size = encoded(op, key, route.attrs)!.length;
        expect(encoded(op, key, route.attrs, { room: size })).not.toBeNull();
        expect(encoded(op, key, route.attrs, { room: size - 1 })).toBeNull();
      }),
      { numRuns: 200 },
    );
  });

  it("is undone by decodeRoute(), for any route of either family", () => {
    fc.assert(
      fc.property(randomRoute(), fc.constantFrom(ROUTE_ADD, ROUTE_REPLACE), (route, op) => {
        const [w0, w1, w2, w3] = route.words;
        const message = encoded(op, { ...route, w0, w1, w2, w3 }, route.attrs)!;
        expect(headers(message).nlmsgLength).toBe(message.length);
        expect(message.length % 4).toBe(0);
        const back = decodedPayload(message)!;
        const { family, length, table, protocol, metric, attrs } = route;
        expect(back).toMatchObject({ family, w0, w1, w2, w3, length, table, protocol, metric, tos: 0 });
        expect(back.attrs.words.slice(0, back.attrs.length)).toEqual(attrs.words.slice(0, attrs.length));
      }),
      { numRuns: 500 },
    );
  });

  it.each(
    [...capturedMessages("routes-ipv4"), ...capturedMessages("routes-ipv6")]
      .map((message) => ({ args: routeArguments(message), route: viewOf(message.bytes) }))
      .filter(({ route }) => isExpressible(route))
      .map((row) => ({ ...row, short: row.args.slice(0, 60) })),
  )("gives back what the kernel shows for ip route $short", ({ route }) => {
    const back = decodedPayload(encoded(ROUTE_ADD, route, route.attrs)!)!;
    const shown = routeText(route).replace(" flags 0x10", "");
    expect(routeText(back)).toBe(shown);
  });
});

function viewOf(message: Uint8Array): RouteView {
  const { bytes, view, start, end } = placeMessage(message);
  const route = new RouteView();
  expect(decodeRoute(bytes, view, start, end, route)).toBe(true);
  return route;
}

/** krtd could want this very route: nothing opaque, no tos, no type it does not handle. */
function isExpressible(route: RouteView): boolean {
  const encap = routeText(route).includes(" encap");
  return route.attrs.words[ATTRS_OPAQUE] === 0 && !encap && route.tos === 0 && route.type !== 2;
}

describe("encodeRouteDumpFilter()", () => {
  it.each([
    [4, 254, "02000000fe00000000000000" + "08000f00fe000000"],
    [6, 1000, "0a000000fc00000000000000" + "08000f00e8030000"],
    [4, 0xffffffff, "02000000fc00000000000000" + "08000f00ffffffff"],
  ] as const)("asks for IPv%d table %d", (family, table, expected) => {
    expect(hex(encodeRouteDumpFilter(family, table))).toBe(expected);
  });
});
