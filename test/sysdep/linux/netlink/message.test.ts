/** Framing: what the cursor accepts, and that no bytes can lead it outside the datagram. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { putBytes } from "../../../../src/sysdep/linux/netlink/attribute.ts";
import {
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  NLMSGERR_ATTR_MSG,
  NLMSGERR_ATTR_OFFS,
  RTM_NEWROUTE,
} from "../../../../src/sysdep/linux/netlink/constants.ts";
import {
  buildNoop,
  buildRequest,
  MessageCursor,
  readDoneText,
  readErrno,
  readErrorText,
} from "../../../../src/sysdep/linux/netlink/message.ts";
import { bytesOf, errorMessage, message } from "../../../support/fake-netlink-socket.ts";

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function walk(
  bytes: Uint8Array,
  length = bytes.length,
): { readonly types: number[]; readonly malformed: boolean } {
  const cursor = new MessageCursor();
  cursor.reset(viewOf(bytes), length);
  const types: number[] = [];
  while (cursor.next()) {
    expect(cursor.start).toBeGreaterThanOrEqual(16);
    expect(cursor.end).toBeGreaterThanOrEqual(cursor.start);
    expect(cursor.end).toBeLessThanOrEqual(bytes.length);
    types.push(cursor.type);
  }
  return { types, malformed: cursor.malformed };
}

/** NLMSGERR_ATTR_OFFS, then the text, as the kernel writes them. */
function textAttributes(text: string): Uint8Array {
  const bytes = new Uint8Array(128);
  const view = viewOf(bytes);
  const after = putBytes(bytes, view, 0, NLMSGERR_ATTR_OFFS, new Uint8Array(4));
  return bytes.slice(0, putBytes(bytes, view, after, NLMSGERR_ATTR_MSG, Buffer.from(`${text}\0`)));
}

describe("MessageCursor", () => {
  it("walks several messages, padding between them and a last one without padding", () => {
    const bytes = bytesOf(message(24, 2, 7, [1, 2, 3]), message(25, 0, 8, []), message(26, 0, 9, [1]));
    expect(walk(bytes)).toEqual({ types: [24, 25, 26], malformed: false });
    expect(walk(bytes, bytes.length - 3)).toEqual({ types: [24, 25, 26], malformed: false });
  });

  it.each([
    ["a datagram cut inside a payload", message(24, 0, 1, new Uint8Array(20)).slice(0, 30), []],
    ["a datagram cut inside a header", bytesOf(message(24, 0, 1, []), new Uint8Array(8)), [24]],
    ["a length shorter than the header", bytesOf(message(24, 0, 1, []), new Uint8Array(16)), [24]],
  ] as const)("calls %s malformed and keeps what came before", (_why, bytes, types) => {
    expect(walk(bytes)).toEqual({ types, malformed: true });
  });

  it("is total: ends inside the datagram on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 300 }), (bytes, length) => {
        walk(bytes, length);
      }),
    );
  });

  it("finds any run of messages again", () => {
    const any = fc.tuple(fc.nat({ max: 0xffff }), fc.uint8Array({ maxLength: 40 }));
    fc.assert(
      fc.property(fc.array(any, { maxLength: 10 }), (messages) => {
        const bytes = bytesOf(...messages.map(([type, payload]) => message(type, 0, 1, payload)));
        expect(walk(bytes)).toEqual({ types: messages.map(([type]) => type), malformed: false });
      }),
    );
  });
});

describe("buildRequest()", () => {
  it("pads the datagram but not the length", () => {
    const bytes = buildRequest(RTM_NEWROUTE, 0x300, 77, Uint8Array.of(2));
    expect(bytes.length).toBe(20);
    const view = viewOf(bytes);
    expect([view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true)]).toEqual([
      17,
      RTM_NEWROUTE,
      0x300 | NLM_F_REQUEST,
    ]);
    expect([view.getUint32(8, true), view.getUint32(12, true), bytes[16]]).toEqual([77, 0, 2]);
  });

  it("makes a NOOP that asks for nothing but an acknowledgement", () => {
    expect([...buildNoop()]).toEqual([16, 0, 0, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("readErrno()", () => {
  it("gives the positive errno, 0 for an acknowledgement and EPROTO for no payload", () => {
    const failed = errorMessage(1, 17);
    expect(readErrno(viewOf(failed), 16, failed.length)).toBe(17);
    expect(readErrno(viewOf(errorMessage(1, 0)), 16, 36)).toBe(0);
    expect(readErrno(viewOf(failed), 16, 18)).toBe(71);
  });
});

describe("readErrorText()", () => {
  const text = "Nexthop has invalid gateway";

  it("finds the text behind the header alone when the request was capped", () => {
    const flags = NLM_F_ACK_TLVS | NLM_F_CAPPED;
    const bytes = errorMessage(1, 101, flags, textAttributes(text));
    expect(readErrorText(bytes, viewOf(bytes), 16, bytes.length, flags)).toBe(text);
  });

  it("finds it behind the whole request when that was not capped", () => {
    const request = message(24, 5, 1, new Uint8Array(31));
    const payload = bytesOf(new Uint8Array(4), request, textAttributes(text));
    const bytes = message(NLMSG_ERROR, NLM_F_ACK_TLVS, 1, payload);
    expect(readErrorText(bytes, viewOf(bytes), 16, bytes.length, NLM_F_ACK_TLVS)).toBe(text);
  });

  it("is null without attributes, whatever follows", () => {
    const bytes = errorMessage(1, 101, 0, textAttributes(text));
    expect(readErrorText(bytes, viewOf(bytes), 16, bytes.length, NLM_F_CAPPED)).toBeNull();
  });

  it("finds the text of NLMSG_DONE right behind errno", () => {
    const payload = bytesOf(new Uint8Array(4), textAttributes(text));
    const bytes = message(3, NLM_F_ACK_TLVS, 1, payload);
    expect(readDoneText(bytes, viewOf(bytes), 16, bytes.length, NLM_F_ACK_TLVS)).toBe(text);
    expect(readDoneText(bytes, viewOf(bytes), 16, bytes.length, 0)).toBeNull();
  });

  it("is total on any bytes and flags", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: 0x3ff }), (bytes, flags) => {
        readErrorText(bytes, viewOf(bytes), 0, bytes.length, flags);
        readDoneText(bytes, viewOf(bytes), 0, bytes.length, flags);
      }),
    );
  });
});
