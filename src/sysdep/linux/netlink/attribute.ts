/**
 * HOT PATH. Netlink attributes (struct nlattr, linux/netlink.h): length and type, 16 bits each, then the value,
 * padded to four bytes.
 *
 *   |<-------- nla_len -------->|
 *   | nla_len | nla_type | value | padding |      type: bit 15 nested, bit 14 network byte order
 *   at                    start  end      next
 *
 * Reading is a cursor that is kept and reset, so that no object is made per message, and it is total: whatever
 * the bytes are, it never looks outside [start, end) and ends. Writing is functions that take an offset and
 * return the next one; the caller has made sure of the room.
 */

import { NLA_F_NESTED, NLA_HDRLEN, NLA_TYPE_MASK } from "./constants.ts";

/** Rounds up to a multiple of four (NLA_ALIGN, NLMSG_ALIGN, RTNH_ALIGN). */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/**
 * Walks a run of attributes: `reset`, then `next` until it says false. `malformed` then tells whether it ended
 * because a length was a lie; a tail shorter than a header is not malformed (the kernel pads messages).
 */
export class AttributeCursor {
  /** Type of the current attribute, without the flag bits. */
  type = 0;
  /** Its value: bytes [start, end). */
  start = 0;
  end = 0;
  /** A length pointed outside the run, or was shorter than a header. */
  malformed = false;
  private view: DataView = new DataView(new ArrayBuffer(0));
  private at = 0;
  private limit = 0;

  /** Starts over on the bytes [start, end) of `view`; a range outside of it is malformed and empty. */
  reset(view: DataView, start: number, end: number): void {
    this.view = view;
    const inside = start >= 0 && start <= end && end <= view.byteLength;
    this.malformed = !inside;
    this.at = inside ? start : 0;
    this.limit = inside ? end : 0;
  }

  /** Moves to the next attribute; false at the end. */
  next(): boolean {
    const at = this.at;
    if (this.limit - at < NLA_HDRLEN) return false;
    const length = this.view.getUint16(at, true);
    if (length < NLA_HDRLEN || at + length > this.limit) {
      this.malformed = true;
      this.at = this.limit;
      return false;
    }
    this.type = this.view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    this.start = at + NLA_HDRLEN;
    this.end = at + length;
    this.at = at + align4(length);
    return true;
  }
}

/** A value of exactly four bytes in host byte order as unsigned; `fallback` when the length is another. */
export function readU32(view: DataView, start: number, end: number, fallback: number): number {
  return end - start === 4 ? view.getUint32(start, true) : fallback;
}

/** A NUL-terminated (or unterminated) string as latin1: names may be any bytes, and none may be lost. */
export function readLatin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end && bytes[i] !== 0; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/** Writes the header of an attribute with `length` bytes of value. Returns where the value starts. */
export function putHeader(view: DataView, at: number, type: number, length: number): number {
  view.setUint16(at, NLA_HDRLEN + length, true);
  view.setUint16(at + 2, type, true);
  return at + NLA_HDRLEN;
}

/** Writes one byte, padded. Takes 8 bytes; returns the next offset. */
export function putU8(view: DataView, at: number, type: number, value: number): number {
  putHeader(view, at, type, 1);
  view.setUint32(at + 4, value & 0xff, true);
  return at + 8;
}

/** Writes a 32-bit value in host byte order. Takes 8 bytes; returns the next offset. */
export function putU32(view: DataView, at: number, type: number, value: number): number {
  putHeader(view, at, type, 4);
  view.setUint32(at + 4, value >>> 0, true);
  return at + 8;
}

/** Writes an IPv4 address (one word in network order). Takes 8 bytes; returns the next offset. */
export function putIpv4(view: DataView, at: number, type: number, w0: number): number {
  putHeader(view, at, type, 4);
  view.setInt32(at + 4, w0, false);
  return at + 8;
}

/** Writes an IPv6 address (four words in network order). Takes 20 bytes; returns the next offset. */
export function putIpv6(
  view: DataView,
  at: number,
  type: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): number {
  putHeader(view, at, type, 16);
  view.setInt32(at + 4, w0, false);
  view.setInt32(at + 8, w1, false);
  view.setInt32(at + 12, w2, false);
  view.setInt32(at + 16, w3, false);
  return at + 20;
}

/** Bytes that putLatin1() writes for `text`. */
export function latin1Size(text: string): number {
  return align4(NLA_HDRLEN + text.length + 1);
}

/** Writes a string of bytes (as readLatin1 reads it) with its NUL, padded. Returns the next offset. */
export function putLatin1(view: DataView, at: number, type: number, text: string): number {
  const start = putHeader(view, at, type, text.length + 1);
  const next = at + latin1Size(text);
  for (let i = 0; i < next - start; i++) view.setUint8(start + i, i < text.length ? text.charCodeAt(i) : 0);
  return next;
}

/** Writes any bytes, with zeroed padding. Takes align4(4 + value.length); returns the next offset. */
export function putBytes(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  type: number,
  value: Uint8Array,
): number {
  const start = putHeader(view, at, type, value.length);
  bytes.set(value, start);
  const next = align4(start + value.length);
  bytes.fill(0, start + value.length, next);
  return next;
}

/** Opens an attribute that holds attributes: returns where they start. Close it with endNest(at, end). */
export function beginNest(view: DataView, at: number, type: number): number {
  return putHeader(view, at, type | NLA_F_NESTED, 0);
}

/** Closes the nest opened at `at`, whose content ends at `end` (a multiple of four). Returns `end`. */
export function endNest(view: DataView, at: number, end: number): number {
  view.setUint16(at, end - at, true);
  return end;
}
