/**
 * HOT PATH. Netlink message framing (struct nlmsghdr, linux/netlink.h). A datagram holds one or more messages:
 *
 *   | nlmsg_len 4 | nlmsg_type 2 | nlmsg_flags 2 | nlmsg_seq 4 | nlmsg_pid 4 | payload … | padding |
 *   at                                                                       start     end        next
 *
 * The cursor is kept and reset, like that of the attributes, and is as total: it never looks outside the
 * datagram. Everything is in host byte order, which must be little endian here (requireLittleEndian).
 */

import { endianness } from "node:os";
import { EPROTO } from "../../../lib/errno.ts";
import { KrtdError } from "../../../lib/errors.ts";
import { AttributeCursor, align4, readLatin1 } from "./attribute.ts";
import {
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_REQUEST,
  NLMSG_HDRLEN,
  NLMSG_NOOP,
  NLMSGERR_ATTR_MSG,
} from "./constants.ts";

export class MessageCursor {
  type = 0;
  flags = 0;
  sequence = 0;
  /** nlmsg_pid: the port of the socket that caused the message. */
  portId = 0;
  /** Where the header of the current message is. */
  header = 0;
  /** Its payload: bytes [start, end). */
  start = 0;
  end = 0;
  /** The datagram ended in the middle of a message: what follows is lost. */
  malformed = false;
  private view: DataView = new DataView(new ArrayBuffer(0));
  private at = 0;
  private limit = 0;

  /** Starts over on the first `length` bytes of `view`. */
  reset(view: DataView, length: number): void {
    this.view = view;
    this.at = 0;
    this.limit = Math.min(Math.max(length, 0), view.byteLength);
    this.malformed = false;
  }

  /** Moves to the next message; false at the end. */
  next(): boolean {
    const { view, at, limit } = this;
    if (at >= limit) return false;
    const length = limit - at < NLMSG_HDRLEN ? 0 : view.getUint32(at, true);
    if (length < NLMSG_HDRLEN || at + length > limit) {
      this.malformed = true;
      this.at = limit;
      return false;
    }
    this.header = at;
    this.type = view.getUint16(at + 4, true);
    this.flags = view.getUint16(at + 6, true);
    this.sequence = view.getUint32(at + 8, true);
    this.portId = view.getUint32(at + 12, true);
    this.start = at + NLMSG_HDRLEN;
    this.end = at + length;
    this.at = at + align4(length);
    return true;
  }
}

/** Writes a header; `length` is the whole message's, header included. The port is left to the kernel (0). */
export function putMessageHeader(
  view: DataView,
  at: number,
  length: number,
  type: number,
  flags: number,
  sequence: number,
): void {
  view.setUint32(at, length, true);
  view.setUint16(at + 4, type, true);
  view.setUint16(at + 6, flags, true);
  view.setUint32(at + 8, sequence, true);
  view.setUint32(at + 12, 0, true);
}

/** One whole request with NLM_F_REQUEST and `flags`. */
export function buildRequest(type: number, flags: number, sequence: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(align4(NLMSG_HDRLEN + payload.length)));
  const view = new DataView(bytes.buffer);
  putMessageHeader(view, 0, NLMSG_HDRLEN + payload.length, type, flags | NLM_F_REQUEST, sequence);
  bytes.set(payload, NLMSG_HDRLEN);
  return bytes;
}

/** Asks for nothing but an acknowledgement: wakes a read that is blocked on the same socket. */
export function buildNoop(): Uint8Array {
  return buildRequest(NLMSG_NOOP, NLM_F_ACK, 0, new Uint8Array(0));
}

/**
 * errno of an NLMSG_ERROR or NLMSG_DONE payload as a positive number; 0 is an acknowledgement. A payload too
 * short to hold one (the kernel sends none) is EPROTO.
 */
export function readErrno(view: DataView, start: number, end: number): number {
  if (end - start < 4) return EPROTO;
  return 0 - view.getInt32(start, true);
}

const textCursor = new AttributeCursor();

/**
 * The kernel's own words in an NLMSG_ERROR payload (NLMSGERR_ATTR_MSG), or null. Between errno and the
 * attributes stands the header of our message, followed by all of it unless NLM_F_CAPPED is set.
 */
export function readErrorText(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  flags: number,
): string | null {
  if ((flags & NLM_F_ACK_TLVS) === 0 || end - start < 4 + NLMSG_HDRLEN) return null;
  const quoted = (flags & NLM_F_CAPPED) !== 0 ? NLMSG_HDRLEN : view.getUint32(start + 4, true);
  if (quoted < NLMSG_HDRLEN || quoted > end - start) return null;
  return readTextAttribute(bytes, view, start + 4 + align4(quoted), end);
}

/** As readErrorText, for NLMSG_DONE: there the attributes follow errno at once. */
export function readDoneText(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  flags: number,
): string | null {
  if ((flags & NLM_F_ACK_TLVS) === 0) return null;
  return readTextAttribute(bytes, view, start + 4, end);
}

function readTextAttribute(bytes: Uint8Array, view: DataView, start: number, end: number): string | null {
  textCursor.reset(view, start, Math.min(end, view.byteLength));
  while (textCursor.next()) {
    if (textCursor.type === NLMSGERR_ATTR_MSG) return readLatin1(bytes, textCursor.start, textCursor.end);
  }
  return null;
}

/** Netlink is in host byte order and krtd reads it as little endian: refuses to run on anything else. */
export function requireLittleEndian(): void {
  if (endianness() !== "LE") {
    throw new KrtdError("unsupported-machine", "Cannot speak netlink: this machine is big endian");
  }
}
