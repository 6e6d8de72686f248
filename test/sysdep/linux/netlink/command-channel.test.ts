/** What is known of a batch: by answers, by silence before an answer, and after a loss. */

import { describe, expect, it } from "vitest";
import { EEXIST, EMSGSIZE, ENOBUFS, ESRCH } from "../../../../src/lib/errno.ts";
import { BATCH_TIMEOUT_MS, CommandChannel } from "../../../../src/sysdep/linux/netlink/command-channel.ts";
import { NLM_F_ACK_TLVS, NLM_F_CAPPED } from "../../../../src/sysdep/linux/netlink/constants.ts";
import { MutableWireCounters } from "../../../../src/sysdep/linux/netlink/counters.ts";
import {
  bytesOf,
  errorMessage,
  FakeNetlinkSocket,
  JumpingClock,
  message,
  sequenceOf,
} from "../../../support/fake-netlink-socket.ts";

function setUp() {
  const clock = new JumpingClock();
  const socket = new FakeNetlinkSocket(clock);
  const counters = new MutableWireCounters();
  return { clock, socket, counters, channel: new CommandChannel(socket, counters, clock) };
}

/** A batch of `count` messages numbered from `first` on. */
function batchBytes(count: number, first: number): Uint8Array {
  return bytesOf(...Array.from({ length: count }, (_, i) => message(24, 1, first + i, [])));
}

const send = ({ channel }: ReturnType<typeof setUp>, count: number, first: number) => {
  const bytes = batchBytes(count, first);
  return channel.batch(bytes, bytes.length, count, first);
};

describe("CommandChannel", () => {
  it("knows all as done when only the last is answered, with an acknowledgement", async () => {
    const set = setUp();
    set.socket.queue({ bytes: errorMessage(14, 0) });
    expect(await send(set, 5, 10)).toEqual({ errors: new Map(), unknownFrom: null });
    expect(set.clock.time).toBe(0);
  });

  it("maps failures to their places, with the kernel's text, and goes on after them", async () => {
    const set = setUp();
    const flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
    const text = Uint8Array.of(9, 0, 1, 0, 0x4e, 0x6f, 0x70, 0x65, 0);
    set.socket.queue(
      { bytes: errorMessage(11, EEXIST) },
      { bytes: errorMessage(12, ESRCH, flags, text) },
      { bytes: errorMessage(14, 0) },
    );
    const { errors, unknownFrom } = await send(set, 5, 10);
    expect([...errors]).toEqual([
      [1, { errno: EEXIST, message: null }],
      [2, { errno: ESRCH, message: "Nope" }],
    ]);
    expect(unknownFrom).toBeNull();
  });

  it("knows everything up to the last answer when answers were lost, and waits for no more", async () => {
    const set = setUp();
    set.socket.queue(-ENOBUFS, { bytes: errorMessage(11, EEXIST) }, { bytes: errorMessage(12, EEXIST) });
    const { errors, unknownFrom } = await send(set, 5, 10);
    expect([[...errors.keys()], unknownFrom, set.counters.overruns]).toEqual([[1, 2], 3, 1]);
    expect(set.clock.time).toBe(0);
  });

  it("gives up on a last answer that never comes", async () => {
    const set = setUp();
    set.socket.queue({ bytes: errorMessage(11, EEXIST) });
    expect(await send(set, 5, 10)).toMatchObject({ unknownFrom: 2 });
    expect(set.clock.time).toBeGreaterThanOrEqual(BATCH_TIMEOUT_MS);
  });

  it("takes no answers from another sender, port or sequence number", async () => {
    const set = setUp();
    set.socket.queue(
      { bytes: errorMessage(11, EEXIST), sender: 99 },
      { bytes: errorMessage(9, EEXIST) },
      { bytes: errorMessage(15, EEXIST) },
      { bytes: message(2, 0, 11, new Uint8Array(20).fill(1), 99) },
      { bytes: message(24, 0, 11, []) },
      { bytes: errorMessage(14, 0) },
    );
    expect(await send(set, 5, 10)).toEqual({ errors: new Map(), unknownFrom: null });
    expect(set.counters.forged).toBe(1);
  });

  it("reports a batch that could not be sent as failed whole: nothing of it was applied", async () => {
    const set = setUp();
    set.socket.sendResult = -EMSGSIZE;
    const { errors, unknownFrom } = await send(set, 3, 10);
    expect([...errors.values()].map(({ errno }) => errno)).toEqual([EMSGSIZE, EMSGSIZE, EMSGSIZE]);
    expect(unknownFrom).toBeNull();
  });

  it("sends batches in order, each after the answers of the one before", async () => {
    const set = setUp();
    const order: string[] = [];
    set.socket.onSend = (bytes) => {
      const first = sequenceOf(bytes);
      order.push(`send ${first}`);
      set.socket.queue({ bytes: errorMessage(first + 1, 0) });
    };
    await Promise.all(
      [10, 20, 30].map((first) => send(set, 2, first).then(() => order.push(`done ${first}`))),
    );
    expect(order.filter((step) => step.startsWith("send"))).toEqual(["send 10", "send 20", "send 30"]);
    expect(order.filter((step) => step.startsWith("done"))).toEqual(["done 10", "done 20", "done 30"]);
  });

  it("answers what it has not sent as unknown once it is closed", async () => {
    const set = setUp();
    await set.channel.close();
    expect(await send(set, 3, 10)).toEqual({ errors: new Map(), unknownFrom: 0 });
    expect(set.socket.sent).toEqual([]);
  });
});
