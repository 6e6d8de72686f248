/**
 * Mutated messages of the kernel through every decoder. `npm run test:fuzz` does a million mutations, `npm test` some
 * ten thousand; KRTD_FUZZ_RUNS says how many, KRTD_FUZZ_SEED repeats a run whose failure named it.
 *
 * Held against: nothing throws; nothing loops (cursors count their steps); nothing reads outside its message (decoded
 * twice, between different bytes); what is decoded is in range and no larger than the message allows; a frame is
 * taken whole, or counted and told.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { congestionId, congestionName } from "../../src/lib/congestion-names.ts";
import { EAGAIN, ENOBUFS } from "../../src/lib/errno.ts";
import {
  ATTRS_HEADER_WORDS,
  ATTRS_METRICS,
  ATTRS_NEXTHOPS,
  NEXTHOP_DEVICE,
  NEXTHOP_FAMILY,
  NEXTHOP_FLAGS,
  NEXTHOP_WEIGHT,
  NEXTHOP_WORDS,
  RTAX_LIMIT,
} from "../../src/nest/attrs-draft.ts";
import { AttributeCursor, align4 } from "../../src/sysdep/linux/netlink/attribute.ts";
import { CommandChannel } from "../../src/sysdep/linux/netlink/command-channel.ts";
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR } from "../../src/sysdep/linux/netlink/constants.ts";
import { MutableWireCounters } from "../../src/sysdep/linux/netlink/counters.ts";
import { MessageCursor } from "../../src/sysdep/linux/netlink/message.ts";
import { NotifyChannel } from "../../src/sysdep/linux/netlink/notify-channel.ts";
import { RunningDump } from "../../src/sysdep/linux/netlink/running-dump.ts";
import { createReceiveBuffer, type ReceiveBuffer } from "../../src/sysdep/linux/netlink/socket.ts";
import { decodeAddress } from "../../src/sysdep/linux/rtnetlink/address.ts";
import { decodeLink } from "../../src/sysdep/linux/rtnetlink/link.ts";
import { decodeRoute, RouteView } from "../../src/sysdep/linux/rtnetlink/route.ts";
import {
  bytesOf,
  doneMessage,
  errorMessage,
  FAKE_PORT,
  FakeNetlinkSocket,
  JumpingClock,
  message,
} from "../support/fake-netlink-socket.ts";
import { capturedMessages } from "../support/netlink-fixtures.ts";
import { fuzz, fuzzRuns, fuzzSeed, mutate, Random } from "../support/netlink-mutations.ts";

const SEED = fuzzSeed();
/** What `npm test` does: some seconds. */
const USUAL = 60_000;
const FOR_EVER = 3_600_000;

const corpus = (name: Parameters<typeof capturedMessages>[0]): Uint8Array[] =>
  capturedMessages(name).map(({ bytes }) => bytes);
const routes = [...corpus("routes-ipv4"), ...corpus("routes-ipv6")];
const links = corpus("links");
const addresses = corpus("addresses");
const everything = [...routes, ...links, ...addresses];

/** Steps of all cursors since the count was set to 0: no message has more attributes than quarters of its bytes. */
let steps = 0;
const originals = [AttributeCursor.prototype.next, MessageCursor.prototype.next] as const;
beforeAll(() => {
  for (const [i, { prototype }] of [AttributeCursor, MessageCursor].entries()) {
    const original = originals[i]!;
    prototype.next = function (this: AttributeCursor & MessageCursor): boolean {
      if (++steps > 200_000) throw new Error("a cursor does not end");
      return original.call(this);
    };
  }
});
afterAll(() => {
  AttributeCursor.prototype.next = originals[0];
  MessageCursor.prototype.next = originals[1];
});

function isWhole(value: number, from: number, to: number): boolean {
  return Number.isInteger(value) && value >= from && value <= to;
}

function inRange(what: string, value: number, from: number, to: number): void {
  if (!isWhole(value, from, to)) throw new Error(`${what} is ${value}: not from ${from} to ${to}`);
}

const I32 = 2147483647;
const U32 = 4294967295;

/** A message between bytes that are all `poison`. */
function placed(bytes: Uint8Array, poison: number): { bytes: Uint8Array; view: DataView; end: number } {
  const room = new Uint8Array(bytes.length + 64).fill(poison);
  room.set(bytes, 32);
  return { bytes: room, view: new DataView(room.buffer), end: 32 + bytes.length };
}

const [left, right] = [new RouteView(), new RouteView()];

function checkRoute(mutated: Uint8Array): boolean {
  const one = placed(mutated, 0x00);
  const other = placed(mutated, 0xff);
  const taken = decodeRoute(one.bytes, one.view, 32, one.end, left);
  if (decodeRoute(other.bytes, other.view, 32, other.end, right) !== taken)
    throw new Error("it read outside");
  if (!taken) return false;
  const { attrs } = left;
  if (attrs.length !== right.attrs.length) throw new Error("it read outside: lengths differ");
  for (let i = 0; i < attrs.length; i++) {
    if (attrs.words[i] !== right.attrs.words[i]) throw new Error(`it read outside: word ${i} differs`);
  }
  for (const key of ["family", "w0", "w1", "w2", "w3", "length", "table", "metric", "rtmFlags"] as const) {
    if (left[key] !== right[key]) throw new Error(`it read outside: ${key} differs`);
  }
  checkRouteRange(left, mutated.length);
  return true;
}

function checkRouteRange(route: RouteView, size: number): void {
  const { family, w0, w1, w2, w3, length, attrs } = route;
  if (family !== 4 && family !== 6) throw new Error(`family is ${family}`);
  inRange("length", length, 0, family === 4 ? 32 : 128);
  if (family === 4 && (w1 | w2 | w3) !== 0) throw new Error("an IPv4 prefix has four words");
  for (const [i, word] of [w0, w1, w2, w3].entries()) {
    inRange("an address word", word, -I32 - 1, I32);
    const bits = Math.min(32, Math.max(0, length - 32 * i));
    if (bits < 32 && word << bits !== 0) throw new Error("the prefix has host bits");
  }
  inRange("table", route.table, 0, U32);
  inRange("metric", route.metric, 0, U32);
  inRange("rtmFlags", route.rtmFlags, 0, U32);
  for (const key of ["protocol", "type", "scope", "tos", "sourceLength"] as const)
    inRange(key, route[key], 0, 255);
  const { words } = attrs;
  const hops = words[ATTRS_NEXTHOPS]!;
  inRange("the count of nexthops", hops, 0, Math.floor(size / 8) + 1);
  let metrics = 0;
  for (let rtax = 0; rtax < 32; rtax++) metrics += (words[ATTRS_METRICS]! >>> rtax) & 1;
  if (words[ATTRS_METRICS]! >>> RTAX_LIMIT !== 0) throw new Error("unknown metrics");
  if (attrs.length !== ATTRS_HEADER_WORDS + hops * NEXTHOP_WORDS + metrics) throw new Error("wrong length");
  inRange("the words' room", words.length, attrs.length, 4 * (ATTRS_HEADER_WORDS + 8192 * NEXTHOP_WORDS));
  for (let hop = 0; hop < hops; hop++) {
    const at = ATTRS_HEADER_WORDS + hop * NEXTHOP_WORDS;
    if (![0, 4, 6].includes(words[at + NEXTHOP_FAMILY]!)) throw new Error("a gateway of no family");
    inRange("weight", words[at + NEXTHOP_WEIGHT]!, 1, 256);
    inRange("device", words[at + NEXTHOP_DEVICE]!, 0, I32);
    if (![0, 4].includes(words[at + NEXTHOP_FLAGS]!)) throw new Error("flags of a nexthop");
  }
}

function checkLink(mutated: Uint8Array): boolean {
  const one = placed(mutated, 0x00);
  const other = placed(mutated, 0xff);
  const link = decodeLink(one.bytes, one.view, 32, one.end);
  const again = decodeLink(other.bytes, other.view, 32, other.end);
  if (JSON.stringify(link) !== JSON.stringify(again)) throw new Error("it read outside");
  if (link === null) return false;
  inRange("ifindex", link.ifindex, 1, I32);
  inRange("the length of the name", link.name.length, 1, 15);
  for (const c of link.name) inRange("a byte of the name", c.charCodeAt(0), 1, 255);
  inRange("flags", link.flags, 0, U32);
  inRange("mtu", link.mtu, 0, U32);
  inRange("operstate", link.operstate, 0, 255);
  if (link.master !== null) inRange("master", link.master, 1, U32);
  // MAX_ADDR_LEN (linux/netdevice.h) bytes.
  if (link.mac !== null && !/^[0-9a-f]{2}(:[0-9a-f]{2}){0,31}$/.test(link.mac)) throw new Error("mac");
  if (link.kind !== null) inRange("the length of the kind", link.kind.length, 1, 64);
  return true;
}

function checkAddress(mutated: Uint8Array): boolean {
  const one = placed(mutated, 0x00);
  const other = placed(mutated, 0xff);
  const address = decodeAddress(one.bytes, one.view, 32, one.end);
  const again = decodeAddress(other.bytes, other.view, 32, other.end);
  if (JSON.stringify(address) !== JSON.stringify(again)) throw new Error("it read outside");
  if (address === null) return false;
  inRange("ifindex", address.ifindex, 1, I32);
  if (address.family !== 4 && address.family !== 6) throw new Error("family");
  inRange("length", address.length, 0, address.family === 4 ? 32 : 128);
  inRange("scope", address.scope, 0, 255);
  inRange("flags", address.flags, 0, U32);
  for (const word of [address.w0, address.w1, address.w2, address.w3, ...(address.peer ?? [])]) {
    inRange("a word", word, -I32 - 1, I32);
  }
  return true;
}

describe("mutated messages", () => {
  it.each([
    ["routes", routes, 12, checkRoute, 0.45],
    ["links", links, 16, checkLink, 0.15],
    ["addresses", addresses, 8, checkAddress, 0.15],
  ] as const)(
    "%s: decoded to values in range or refused",
    (_, messages, header, check, share) => {
      let taken = 0;
      const runs = fuzzRuns(USUAL, share);
      fuzz(SEED, runs, (random) => {
        steps = 0;
        if (check(mutate(random.pick(messages), header, everything, random))) taken++;
      });
      // Mutations that are all refused, or all taken, would show nothing.
      expect(taken).toBeGreaterThan(runs / 50);
      expect(taken).toBeLessThan(runs);
    },
    FOR_EVER,
  );

  it("names of congestion algorithms take bounded room", () => {
    for (let i = 0; i < 5000; i++) expect(congestionId(`name${i}`)).toBe(congestionId(`name${i}`));
    expect(congestionId("name4998")).not.toBe(congestionId("name4999"));
    expect(congestionName(1002)).toBe(null);
  });

  it("every truncation of every message, by all decoders", () => {
    for (const bytes of everything) {
      for (let length = 0; length <= bytes.length; length++) {
        steps = 0;
        const cut = bytes.subarray(0, length);
        checkRoute(cut);
        checkLink(cut);
        checkAddress(cut);
      }
    }
  });

  it("an RTA_MULTIPATH as large as an attribute can be is sorted soon", () => {
    const count = 8190;
    const bytes = new Uint8Array(12 + 4 + count * 8);
    const view = new DataView(bytes.buffer);
    bytes.set([2, 0, 0, 0, 254, 4, 0, 1]);
    view.setUint16(12, 4 + count * 8, true);
    view.setUint16(14, 9, true);
    for (let i = 0; i < count; i++) {
      view.setUint16(16 + i * 8, 8, true);
      view.setInt32(20 + i * 8, count - i, true);
    }
    const started = performance.now();
    expect(checkRoute(bytes)).toBe(true);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(left.attrs.words[ATTRS_HEADER_WORDS + NEXTHOP_DEVICE]).toBe(1);
  });
});

const SEQUENCE = 77;

/** A datagram of the kernel's: some messages, one of which may be an answer, in frames that are then mutated. */
function datagram(random: Random, sequence: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let count = 1 + random.below(4); count > 0; count--) parts.push(frame(random, sequence));
  const bytes = bytesOf(...parts);
  const view = new DataView(bytes.buffer);
  for (let rounds = random.below(4); rounds > 0; rounds--) {
    switch (random.below(6)) {
      case 0:
        return bytes.slice(0, random.below(bytes.length + 1));
      case 1:
        view.setUint32(0, random.pick([0, 1, 15, 16, 17, 19, 20, bytes.length + 1, 0x7fffffff, U32]), true);
        break;
      case 2:
        view.setUint16(4, random.pick([0, 1, 2, 3, 4, 15, 16, 24, 0xffff]), true);
        break;
      case 3:
        view.setUint16(6, random.below(0x10000), true);
        break;
      case 4:
        view.setUint32(random.pick([8, 12]), random.below(U32), true);
        break;
      default:
        bytes[random.below(bytes.length)] = random.below(256);
    }
  }
  return bytes;
}

const TEXT = bytesOf(Uint8Array.of(12, 0, 1, 0), new TextEncoder().encode("no\x1b[2J\0\0"));

function frame(random: Random, sequence: number): Uint8Array {
  const flags = random.pick([0, 2, NLM_F_ACK_TLVS, NLM_F_ACK_TLVS | NLM_F_CAPPED, NLM_F_DUMP_INTR | 2]);
  switch (random.below(6)) {
    case 0: {
      const answer = errorMessage(sequence, random.pick([0, 1, 2, 17, 101, 0x7fffffff]), flags, TEXT);
      // The length of the request that the answer quotes.
      if (random.below(2) === 0) {
        new DataView(answer.buffer).setUint32(
          20,
          random.pick([0, 4, 15, 16, 100, 0x7fffffff, 0xfffffffc, U32]),
          true,
        );
      }
      return answer;
    }
    case 1:
      return doneMessage(sequence, random.pick([0, 0, 2, 4]), flags);
    case 2:
      return message(random.pick([1, 4]), flags, sequence, []);
    default: {
      const type = random.pick([16, 20, 24, 25]);
      const source = random.pick(everything);
      const payload = random.below(2) === 0 ? source : mutate(source, 12, everything, random).slice(0, 8000);
      return message(type, flags, sequence, payload, random.pick([FAKE_PORT, FAKE_PORT, 0, 99]));
    }
  }
}

/** Puts a datagram into a receive buffer that was full of other bytes. Returns what recvfrom() would. */
function receive(buffer: ReceiveBuffer, bytes: Uint8Array, sender: number, longer: number): number {
  const length = Math.min(bytes.length, buffer.bytes.length);
  buffer.bytes.fill(0xa5, 0, Math.min(length + 64, buffer.bytes.length));
  buffer.bytes.set(bytes.subarray(0, length));
  new DataView(buffer.address.buffer).setUint32(4, sender, true);
  return bytes.length + longer;
}

/** What a handler was given lies inside the datagram, after what it was given before. */
class Watched {
  private last = 0;
  readonly limit: number;
  count = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  take(start: number, end: number): void {
    if (!(start >= this.last + 16 && start <= end && end <= this.limit)) {
      throw new Error(`[${start}, ${end}) after ${this.last} of ${this.limit}`);
    }
    this.last = align4(end);
    this.count++;
  }
}

/** Whether the datagram consists of whole messages and nothing else. */
function isSound(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 16) return false;
    const length = view.getUint32(at, true);
    if (length < 16 || at + length > bytes.length) return false;
    at += align4(length);
  }
  return true;
}

describe("mutated datagrams", () => {
  it(
    "RunningDump: taken whole, or the dump is not complete",
    () => {
      const buffer = createReceiveBuffer(8192);
      fuzz(SEED + 1, fuzzRuns(USUAL, 0.12), (random) => {
        steps = 0;
        const counters = new MutableWireCounters();
        let watched = new Watched(0);
        const dump = new RunningDump(
          SEQUENCE,
          FAKE_PORT,
          (_bytes, _view, start, end) => watched.take(start, end),
          counters,
        );
        let clean = true;
        for (let count = 1 + random.below(3); count > 0; count--) {
          const bytes = datagram(random, random.below(8) === 0 ? random.below(1000) : SEQUENCE);
          const sender = random.below(10) === 0 ? 1 + random.below(9999) : 0;
          const longer = random.below(10) === 0 ? 8193 : 0;
          // Of a datagram that was cut off the whole buffer is full.
          watched = new Watched(longer > 0 ? 8192 : Math.min(bytes.length, 8192));
          if (random.below(12) === 0) dump.take(buffer, -random.pick([ENOBUFS, EAGAIN]));
          const received = receive(buffer, bytes, sender, longer);
          dump.endsIn(buffer, received);
          const before = { ...counters };
          dump.take(buffer, received);
          if (sender !== 0) {
            if (watched.count > 0) throw new Error("a forged frame was handed on");
            if (counters.forged !== before.forged + 1) throw new Error("a forged frame was not counted");
          } else if (received > 8192 || !isSound(bytes.subarray(0, 8192))) {
            clean = false;
            if (counters.truncated + counters.malformed !== before.truncated + before.malformed + 1) {
              throw new Error("a bad frame was not counted once");
            }
          } else if (counters.truncated + counters.malformed !== before.truncated + before.malformed) {
            throw new Error("a sound frame was counted as bad");
          }
        }
        const reply = dump.finish();
        if (reply.complete !== (reply.reason === null)) throw new Error("complete, with a reason");
        if (!clean && reply.complete) throw new Error("complete after a bad frame");
        if (reply.interrupted && reply.complete) throw new Error("complete and interrupted");
        inRange("errno", reply.errno, -U32, U32);
        if ((reply.reason ?? "").length > 9000) throw new Error("a reason without bounds");
      });
    },
    FOR_EVER,
  );

  it(
    "NotifyChannel: handed on, or the loss is told",
    () => {
      const socket = new FakeNetlinkSocket();
      const counters = new MutableWireCounters();
      const channel = new NotifyChannel(socket, {
        commandPort: 4712,
        counters,
        clock: new JumpingClock(),
        reopen: () => socket,
      });
      let watched = new Watched(0);
      let lost = 0;
      channel.subscribe(
        [1],
        (buffer, _view, start, end, _type, _flags, port, own) => {
          watched.take(start, end);
          if (end > buffer.length) throw new Error(`[${start}, ${end}) of a buffer of ${buffer.length}`);
          if (own !== (port === 4712)) throw new Error("an echo is told by its port");
        },
        () => {
          lost++;
        },
      );
      fuzz(SEED + 2, fuzzRuns(USUAL, 0.12), (random) => {
        steps = 0;
        const bytes = datagram(random, 0);
        const sender = random.below(10) === 0 ? 1 + random.below(9999) : 0;
        const before = { ...counters, lost };
        const cut = random.below(10) === 0;
        watched = new Watched(cut ? Number.POSITIVE_INFINITY : bytes.length);
        socket.queue({ bytes, sender, ...(cut ? { trueLength: 70_000_000 } : {}) });
        socket.notify();
        const told = lost - before.lost;
        if (sender !== 0) {
          if (watched.count > 0 || told > 0) throw new Error("a forged frame had an effect");
          if (counters.forged !== before.forged + 1) throw new Error("a forged frame was not counted");
        } else if (cut || !isSound(bytes)) {
          if (told < 1) throw new Error("a bad frame was not told");
          if (counters.truncated + counters.malformed !== before.truncated + before.malformed + 1) {
            throw new Error("a bad frame was not counted once");
          }
        } else if (told !== counters.overruns - before.overruns) throw new Error("a loss that was none");
      });
    },
    FOR_EVER,
  );

  it(
    "CommandChannel: every message of a batch is answered, failed or unknown",
    async () => {
      const runs = fuzzRuns(USUAL, 0.01);
      for (let run = 0; run < runs; run++) {
        const random = new Random((SEED ^ Math.imul(run + 1, 0x85ebca6b)) >>> 0);
        steps = 0;
        const clock = new JumpingClock();
        const socket = new FakeNetlinkSocket(clock);
        const channel = new CommandChannel(socket, new MutableWireCounters(), clock);
        const count = 1 + random.below(5);
        for (let i = random.below(6); i > 0; i--) {
          const bytes = datagram(random, 100 + random.below(8));
          socket.queue(random.below(8) === 0 ? -ENOBUFS : { bytes, sender: random.below(9) === 0 ? 5 : 0 });
        }
        const reply = await channel.batch(new Uint8Array(64), 64, count, 100);
        const why = `KRTD_FUZZ_SEED=${SEED} run ${run}`;
        expect(reply.unknownFrom === null || isWhole(reply.unknownFrom, 0, count - 1), why).toBe(true);
        for (const [index, { errno }] of reply.errors) {
          expect(isWhole(index, 0, (reply.unknownFrom ?? count) - 1), why).toBe(true);
          expect(errno, why).not.toBe(0);
        }
      }
    },
    FOR_EVER,
  );
});
