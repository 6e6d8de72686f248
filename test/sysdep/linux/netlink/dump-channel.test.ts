/** When a dump may be believed: every way it can go wrong makes it incomplete, and frees the socket. */

import { describe, expect, it } from "vitest";
import { EBUSY, EINTR, ENOBUFS, ENOENT } from "../../../../src/lib/errno.ts";
import {
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLMSG_OVERRUN,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from "../../../../src/sysdep/linux/netlink/constants.ts";
import { MutableWireCounters } from "../../../../src/sysdep/linux/netlink/counters.ts";
import { DUMP_TIMEOUT_MS, DumpChannel } from "../../../../src/sysdep/linux/netlink/dump-channel.ts";
import { Sequences } from "../../../../src/sysdep/linux/netlink/sequence.ts";
import type { DumpReply } from "../../../../src/sysdep/linux/netlink/transport.ts";
import {
  bytesOf,
  doneMessage,
  errorMessage,
  FakeNetlinkSocket,
  JumpingClock,
  message,
  type Scripted,
  sequenceOf,
} from "../../../support/fake-netlink-socket.ts";

function setUp() {
  const clock = new JumpingClock();
  const socket = new FakeNetlinkSocket(clock);
  const counters = new MutableWireCounters();
  const channel = new DumpChannel(socket, new Sequences(), counters, clock);
  return { clock, socket, counters, channel };
}

type SetUp = ReturnType<typeof setUp>;

async function dump({ channel }: SetUp): Promise<{ readonly reply: DumpReply; readonly seen: number[] }> {
  const seen: number[] = [];
  const request = { type: RTM_GETROUTE, payload: new Uint8Array(12) };
  const reply = await channel.dump(request, (bytes, _view, start) => seen.push(bytes[start]!));
  return { reply, seen };
}

const route = (value: number, sequence = 1, flags = NLM_F_MULTI): Uint8Array =>
  message(RTM_NEWROUTE, flags, sequence, [value]);

describe("DumpChannel", () => {
  it("hands over every message of every frame in order, and only up to DONE", async () => {
    const set = setUp();
    set.socket.queue({ bytes: bytesOf(route(1), route(2)) }, { bytes: route(3) }, { bytes: doneMessage(1) });
    expect(await dump(set)).toEqual({
      reply: { complete: true, errno: 0, interrupted: false, reason: null, messages: 3 },
      seen: [1, 2, 3],
    });
  });

  it("shows the messages of a frame ahead, before it hands out the first of them", async () => {
    const set = setUp();
    set.socket.queue({ bytes: bytesOf(route(1), route(2)) }, { bytes: bytesOf(route(3), doneMessage(1)) });
    const seen: string[] = [];
    await set.channel.dump(
      { type: RTM_GETROUTE, payload: new Uint8Array(12) },
      (bytes, _view, start) => seen.push(`${bytes[start]}`),
      (view, start, _end, type) => {
        if (type === RTM_NEWROUTE) seen.push(`ahead ${view.getUint8(start)}`);
      },
    );
    expect(seen).toEqual(["ahead 1", "ahead 2", "1", "2", "ahead 3", "3"]);
  });

  it("takes more frames than one read holds", async () => {
    const set = setUp();
    set.socket.queue(...Array.from({ length: 11 }, (_, n) => ({ bytes: route(n) })), {
      bytes: doneMessage(1),
    });
    expect((await dump(set)).seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it.each<[why: string, script: Scripted[], reason: string, counter: keyof MutableWireCounters | null]>([
    [
      "DUMP_INTR on a message",
      [{ bytes: bytesOf(route(1, 1, NLM_F_DUMP_INTR), doneMessage(1)) }],
      "the kernel's data changed while it was read",
      null,
    ],
    [
      "DUMP_INTR on DONE",
      [{ bytes: doneMessage(1, 0, NLM_F_DUMP_INTR) }],
      "the kernel's data changed while it was read",
      null,
    ],
    ["ENOBUFS", [-ENOBUFS, { bytes: doneMessage(1) }], "the receive buffer overflowed", "overruns"],
    [
      "NLMSG_OVERRUN",
      [{ bytes: bytesOf(message(NLMSG_OVERRUN, 0, 1, []), doneMessage(1)) }],
      "the kernel reports lost data",
      "overruns",
    ],
    [
      "a truncated frame",
      [{ bytes: route(1), trueLength: 70_000 }, { bytes: doneMessage(1) }],
      "a frame of 70000 bytes was cut off",
      "truncated",
    ],
    [
      "a malformed frame",
      [{ bytes: route(1).slice(0, 16) }, { bytes: doneMessage(1) }],
      "a frame was malformed",
      "malformed",
    ],
    ["an error", [{ bytes: errorMessage(1, EBUSY) }], 'the kernel says "Device or resource busy"', null],
    [
      "an error in DONE",
      [{ bytes: doneMessage(1, ENOENT) }],
      'the kernel says "No such file or directory"',
      null,
    ],
    [
      "an acknowledgement instead of a dump",
      [{ bytes: errorMessage(1, 0) }],
      "the kernel answered without an end of the dump",
      null,
    ],
    ["a failing read", [{ bytes: route(1) }, -9], "reading failed: Bad file descriptor", null],
    ["silence", [{ bytes: route(1) }], "nothing came for 30 s", null],
  ])("is incomplete after %s", async (_why, script, reason, counter) => {
    const set = setUp();
    set.socket.queue(...script);
    const { reply } = await dump(set);
    expect(reply).toMatchObject({ complete: false, reason });
    const expected = new MutableWireCounters();
    if (counter !== null) expected[counter] = 1;
    expect(set.counters).toEqual(expected);
  });

  it("reports the errno of DONE: ENOENT is a table that does not exist", async () => {
    const set = setUp();
    set.socket.queue({ bytes: doneMessage(1, ENOENT) });
    expect((await dump(set)).reply.errno).toBe(ENOENT);
  });

  it("is incomplete when an answer to another request comes in between, of which it takes nothing", async () => {
    const set = setUp();
    set.socket.queue({ bytes: bytesOf(route(8, 77)) }, { bytes: bytesOf(route(1), doneMessage(1)) });
    const { reply, seen } = await dump(set);
    expect([reply.complete, reply.reason, seen]).toEqual([false, "an answer to another request came", [1]]);
  });

  it("takes nothing from another sender or port", async () => {
    const set = setUp();
    set.socket.queue(
      { bytes: bytesOf(route(9), doneMessage(1)), sender: 1234 },
      { bytes: message(RTM_NEWROUTE, NLM_F_MULTI, 1, [7], 99) },
      -EINTR,
      { bytes: bytesOf(route(1), doneMessage(1)) },
    );
    const { reply, seen } = await dump(set);
    expect([reply.complete, seen, set.counters.forged]).toEqual([true, [1], 1]);
  });

  it("queues dumps: the second is asked for after the first has ended", async () => {
    const set = setUp();
    const order: string[] = [];
    set.socket.onSend = (bytes) => {
      order.push(`sent ${sequenceOf(bytes)}`);
      set.socket.queue({ bytes: doneMessage(sequenceOf(bytes)) });
    };
    await Promise.all([1, 2].map((n) => dump(set).then(() => order.push(`ended ${n}`))));
    expect(order).toEqual(["sent 1", "ended 1", "sent 2", "ended 2"]);
  });

  it("reads the rest of a dump it gave up on before it asks for the next", async () => {
    const set = setUp();
    set.socket.queue({ bytes: route(1) });
    expect((await dump(set)).reply.reason).toContain("nothing came");
    expect(set.clock.time).toBeGreaterThanOrEqual(DUMP_TIMEOUT_MS);
    set.socket.queue({ bytes: route(5) }, { bytes: doneMessage(1) });
    set.socket.onSend = () => set.socket.queue({ bytes: bytesOf(route(6, 2), doneMessage(2)) });
    expect(await dump(set)).toMatchObject({ reply: { complete: true }, seen: [6] });
  });

  it.each([
    [
      [0.1, 0.1, 0.1, 0.1],
      [0, 0, 0, 0],
    ],
    [
      [3, 3, 3, 3],
      [0, 1, 2, 3],
    ],
    [
      [3, 0.1, 0.1, 0.1],
      [0, 1, 1, 1],
    ],
    [
      [1, 1, 1, 1],
      [0, 0, 1, 1],
    ],
  ])("lets others have their turn between frames that take %j ms", async (each, turnsBefore) => {
    const set = setUp();
    const frames = [1, 2, 3].map((value) => ({ bytes: route(value) }));
    set.socket.queue(...frames, { bytes: bytesOf(route(4), doneMessage(1)) });
    const turns: number[] = [];
    const request = { type: RTM_GETROUTE, payload: new Uint8Array(12) };
    const reply = await set.channel.dump(request, () => {
      set.clock.time += each[turns.length]!;
      turns.push(set.clock.turns);
    });
    expect(reply).toMatchObject({ complete: true, messages: 4 });
    expect(turns).toEqual(turnsBefore);
  });

  it("says so when the request cannot be sent", async () => {
    const set = setUp();
    set.socket.sendResult = -ENOBUFS;
    const { reply } = await dump(set);
    expect(reply).toMatchObject({ complete: false, errno: ENOBUFS });
    expect(reply.reason).toBe("the request could not be sent: No buffer space available");
  });

  it("passes on what a handler throws, after the dump was read to its end", async () => {
    const set = setUp();
    set.socket.queue({ bytes: bytesOf(route(1), route(2)) }, { bytes: doneMessage(1) });
    const boom = set.channel.dump({ type: RTM_GETROUTE, payload: new Uint8Array(12) }, () => {
      throw new Error("boom");
    });
    await expect(boom).rejects.toThrow("boom");
    set.socket.onSend = () => set.socket.queue({ bytes: doneMessage(2) });
    expect((await dump(set)).reply.complete).toBe(true);
  });

  it.each([false, true])(
    "hands nothing on when it was closed between two frames (the last: %s)",
    async (last) => {
      const set = setUp();
      const end = last ? [{ bytes: doneMessage(1) }] : [{ bytes: route(3) }, { bytes: route(4) }];
      set.socket.queue({ bytes: route(1) }, { bytes: route(2) }, ...end);
      let messages = 0;
      let closed: Promise<void> | null = null;
      const reply = await set.channel.dump({ type: RTM_GETROUTE, payload: new Uint8Array(12) }, () => {
        messages++;
        set.clock.time += 3;
        closed ??= set.channel.close();
      });
      await closed;
      expect(reply).toMatchObject({ complete: false, reason: "the transport was closed" });
      expect(messages).toBe(1);
    },
  );

  it("ends running and waiting dumps as incomplete when it is closed", async () => {
    const set = setUp();
    const replies = [dump(set), dump(set)];
    await set.channel.close();
    for (const { reply } of await Promise.all(replies)) {
      expect(reply).toMatchObject({ complete: false, reason: "the transport was closed" });
    }
    expect(set.socket.closed).toBe(true);
  });
});
