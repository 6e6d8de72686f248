/** Writing batches: how they are cut into sends, what overlaps, and how answers become outcomes. */

import { describe, expect, it } from "vitest";
import { EEXIST, EMSGSIZE, ENOENT, ESRCH } from "../../../src/lib/errno.ts";
import { AttrsDraft } from "../../../src/nest/attrs-draft.ts";
import {
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  RTM_DELROUTE,
  RTM_NEWROUTE,
} from "../../../src/sysdep/linux/netlink/constants.ts";
import { RouteWriter } from "../../../src/sysdep/linux/set.ts";
import {
  ROUTE_ADD,
  ROUTE_DELETE,
  ROUTE_REPLACE,
  type RouteBatch,
  UNKNOWN_OUTCOME,
} from "../../../src/sysdep/os.ts";
import { FakeTransport } from "../../support/fake-transport.ts";

/** Attributes 1: one nexthop. Attributes 2: far more than a send can carry. */
function fakeAttrs() {
  const one = new AttrsDraft();
  one.reset(1);
  one.addNexthop(4, 0x0a000002, 0, 0, 0, 3, 1, 0, 0);
  one.finish();
  const many = new AttrsDraft();
  many.reset(1);
  for (let i = 0; i < 10_000; i++) many.addNexthop(4, 0x0a000002 + i, 0, 0, 0, 3, 1, 0, 0);
  many.finish();
  const words = new Int32Array(one.length + many.length);
  words.set(one.words.subarray(0, one.length));
  words.set(many.words.subarray(0, many.length), one.length);
  return { words, offset: (id: number) => (id === 1 ? 0 : one.length) };
}

function batchOf(count: number, op: (index: number) => number = () => ROUTE_ADD): RouteBatch {
  const batch: RouteBatch = {
    capacity: count,
    family: 4,
    table: 1000,
    count,
    protocol: new Uint8Array(count).fill(120),
    op: Uint8Array.from({ length: count }, (_, i) => op(i)),
    key: new Int32Array(count * 4),
    length: new Uint8Array(count).fill(32),
    metric: new Uint32Array(count).fill(32),
    attrs: new Int32Array(count).fill(1),
    errno: new Int32Array(count).fill(77),
    errorText: new Map(),
  };
  for (let i = 0; i < count; i++) batch.key[i * 4] = 0x0b000000 + i;
  return batch;
}

function setUp() {
  const transport = new FakeTransport();
  return { transport, writer: new RouteWriter(transport, fakeAttrs()) };
}

/** Lets everything that is ready run. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("RouteWriter", () => {
  it("sends one batch in one go, numbered on and with the acknowledgement asked on the last", async () => {
    const { transport, writer } = setUp();
    const batch = batchOf(3, (i) => [ROUTE_ADD, ROUTE_REPLACE, ROUTE_DELETE][i]!);
    await writer.write(batch);
    expect(transport.batches.length).toBe(1);
    expect(transport.batches[0]!.messages).toEqual([
      { type: RTM_NEWROUTE, flags: 1 | NLM_F_CREATE | NLM_F_EXCL, sequence: 1 },
      { type: RTM_NEWROUTE, flags: 1 | NLM_F_CREATE | NLM_F_REPLACE, sequence: 2 },
      { type: RTM_DELROUTE, flags: 1 | NLM_F_ACK, sequence: 3 },
    ]);
    expect([[...batch.errno], writer.writes]).toEqual([[0, 0, 0], 3]);
  });

  it("cuts what does not fit into 128 KiB, and loses and repeats nothing", async () => {
    const { transport, writer } = setUp();
    const batch = batchOf(6000);
    await writer.write(batch);
    expect(transport.batches.length).toBeGreaterThan(2);
    const sequences = transport.batches.flatMap(({ messages }) => messages.map(({ sequence }) => sequence));
    expect(sequences).toEqual(Array.from({ length: 6000 }, (_, i) => i + 1));
    for (const { messages, count, firstSequence, length } of transport.batches) {
      expect([messages.length, messages[0]!.sequence, length <= 131072]).toEqual([
        count,
        firstSequence,
        true,
      ]);
      expect(messages.map(({ flags }) => (flags & NLM_F_ACK) !== 0)).toEqual([
        ...new Array<boolean>(count - 1).fill(false),
        true,
      ]);
    }
    expect([...new Set(batch.errno)]).toEqual([0]);
  });

  it("maps failures and their texts to the right changes, across sends", async () => {
    const { transport, writer } = setUp();
    transport.autoAnswer = null;
    const batch = batchOf(3000);
    const written = writer.write(batch);
    await settle();
    const [first, second] = transport.batches;
    first!.answer({ errors: new Map([[5, { errno: EEXIST, message: null }]]) });
    second!.answer({ errors: new Map([[2, { errno: 101, message: "Nexthop has invalid gateway" }]]) });
    await written;
    const failed = [...batch.errno.entries()].filter(([, errno]) => errno !== 0);
    expect(failed).toEqual([
      [5, EEXIST],
      [first!.count + 2, 101],
    ]);
    expect([...batch.errorText]).toEqual([[first!.count + 2, "Nexthop has invalid gateway"]]);
  });

  it("leaves what was not answered unknown, but keeps known failures", async () => {
    const { transport, writer } = setUp();
    transport.autoAnswer = { errors: new Map([[1, { errno: EEXIST, message: null }]]), unknownFrom: 2 };
    const batch = batchOf(4);
    await writer.write(batch);
    expect([...batch.errno]).toEqual([0, EEXIST, UNKNOWN_OUTCOME, UNKNOWN_OUTCOME]);
  });

  it.each([ESRCH, ENOENT])("takes errno %i on a delete as success: it is gone", async (errno) => {
    const { transport, writer } = setUp();
    const answer = { errno, message: "gone" };
    transport.autoAnswer = {
      errors: new Map([
        [0, answer],
        [1, answer],
      ]),
      unknownFrom: null,
    };
    const batch = batchOf(2, (i) => (i === 0 ? ROUTE_DELETE : ROUTE_REPLACE));
    await writer.write(batch);
    expect([[...batch.errno], [...batch.errorText]]).toEqual([[0, errno], [[1, "gone"]]]);
  });

  it("encodes and hands on the next batches while the kernel works on the first, in order", async () => {
    const { transport, writer } = setUp();
    transport.autoAnswer = null;
    const writes = [10, 20, 30, 40].map((count) => writer.write(batchOf(count)));
    await settle();
    expect(transport.batches.map(({ count }) => count)).toEqual([10, 20, 30]);
    transport.batches[0]!.answer();
    await settle();
    expect(transport.batches.map(({ count, firstSequence }) => [count, firstSequence])).toEqual([
      [10, 1],
      [20, 11],
      [30, 31],
      [40, 61],
    ]);
    for (const batch of transport.batches) batch.answer();
    await Promise.all(writes);
  });

  it("fails a change no send can carry with EMSGSIZE and applies the others", async () => {
    const { transport, writer } = setUp();
    const batch = batchOf(3);
    batch.attrs[1] = 2;
    await writer.write(batch);
    expect([...batch.errno]).toEqual([0, EMSGSIZE, 0]);
    expect(transport.batches.map(({ firstSequence }) => firstSequence)).toEqual([1, 3]);
    expect(writer.writes).toBe(2);
  });

  it("rejects when the transport fails, and goes on afterwards", async () => {
    const { transport, writer } = setUp();
    transport.autoAnswer = null;
    const batch = batchOf(2);
    const written = writer.write(batch);
    transport.batches[0]!.fail(new Error("not open"));
    await expect(written).rejects.toThrow("not open");
    expect([...batch.errno]).toEqual([UNKNOWN_OUTCOME, UNKNOWN_OUTCOME]);
    transport.autoAnswer = { errors: new Map(), unknownFrom: null };
    for (let i = 0; i < 5; i++) await writer.write(batch);
    expect([...batch.errno]).toEqual([0, 0]);
  });

  it("has nothing to do for an empty batch", async () => {
    const { transport, writer } = setUp();
    await writer.write(batchOf(0));
    expect(transport.batches).toEqual([]);
  });
});
