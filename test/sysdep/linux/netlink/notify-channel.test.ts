/** Notifications: what gets through, what is our own echo, and that every loss is told. */

import { describe, expect, it } from "vitest";
import { EBADF, EIO, ENOBUFS } from "../../../../src/lib/errno.ts";
import { NLMSG_NOOP, NLMSG_OVERRUN } from "../../../../src/sysdep/linux/netlink/constants.ts";
import { MutableWireCounters } from "../../../../src/sysdep/linux/netlink/counters.ts";
import { DRAIN_LIMIT_MS, NotifyChannel } from "../../../../src/sysdep/linux/netlink/notify-channel.ts";
import { bytesOf, FakeNetlinkSocket, JumpingClock, message } from "../../../support/fake-netlink-socket.ts";

const COMMAND_PORT = 500;

function setUp() {
  const clock = new JumpingClock();
  const socket = new FakeNetlinkSocket();
  /** What a reopening gives, in turn; then it fails. */
  const spare: FakeNetlinkSocket[] = [];
  const counters = new MutableWireCounters();
  const channel = new NotifyChannel(socket, {
    commandPort: COMMAND_PORT,
    counters,
    clock,
    reopen() {
      const next = spare.shift();
      if (next === undefined) throw new Error("no more sockets");
      return next;
    },
  });
  const seen: string[] = [];
  const subscribe = () =>
    channel.subscribe(
      [1, 7],
      (bytes, _view, start, _end, type, _flags, _port, ownEcho) =>
        seen.push(`${type}:${bytes[start]}${ownEcho ? " own" : ""}`),
      (reason) => seen.push(`lost: ${reason}`),
    );
  return { clock, socket, spare, counters, channel, seen, subscribe };
}

describe("NotifyChannel", () => {
  it("hands over messages and tells our own echoes by their port", () => {
    const { socket, seen, subscribe } = setUp();
    subscribe();
    socket.queue(
      { bytes: bytesOf(message(24, 0, 3, [1], COMMAND_PORT), message(25, 0, 0, [2], 0)) },
      { bytes: message(NLMSG_NOOP, 0, 0, [9]) },
    );
    socket.notify();
    expect(seen).toEqual(["24:1 own", "25:2"]);
    expect([...socket.groups]).toEqual([1, 7]);
  });

  it("tells an overrun once, ahead of the stale messages, and again when the drops went on meanwhile", () => {
    const { socket, counters, seen, subscribe } = setUp();
    subscribe();
    socket.dropCount = 5;
    socket.queue(-ENOBUFS, { bytes: message(24, 0, 0, [1]) });
    socket.notify();
    expect(seen).toEqual(["lost: the receive buffer overflowed", "24:1"]);
    socket.dropCount = 9;
    socket.queue({ bytes: message(24, 0, 0, [2]) });
    socket.notify();
    socket.notify();
    expect(seen.slice(2)).toEqual(["24:2", "lost: notifications were dropped while older ones were read"]);
    expect(counters.overruns).toBe(2);
  });

  it.each([
    [
      "truncation",
      { bytes: message(24, 0, 0, [1]), trueLength: 199_999 },
      "a notification of 199999 bytes was cut off",
    ],
    ["a malformed frame", { bytes: message(24, 0, 0, [1, 2]).slice(0, 17) }, "a notification was malformed"],
    ["NLMSG_OVERRUN", { bytes: message(NLMSG_OVERRUN, 0, 0, []) }, "the kernel reports lost data"],
  ])("tells %s as a loss", (_why, item, reason) => {
    const { socket, seen, subscribe } = setUp();
    subscribe();
    socket.queue(item);
    socket.notify();
    expect(seen.at(-1)).toBe(`lost: ${reason}`);
  });

  it("ignores and counts what another process sent", () => {
    const { socket, counters, seen, subscribe } = setUp();
    subscribe();
    socket.queue({ bytes: message(24, 0, 0, [1]), sender: 4242 });
    socket.notify();
    expect([seen, counters.forged]).toEqual([[], 1]);
  });

  it("stops watching and tells it when the socket fails for good", () => {
    const { socket, seen, subscribe } = setUp();
    subscribe();
    socket.queue(-9, { bytes: message(24, 0, 0, [1]) });
    socket.notify();
    expect(seen).toEqual(["lost: reading failed: Bad file descriptor"]);
  });

  it("drops what was queued before the subscription, and everything after its end", async () => {
    const { socket, seen, subscribe } = setUp();
    socket.queue({ bytes: message(24, 0, 0, [1]) }, -ENOBUFS, { bytes: message(24, 0, 0, [2]) });
    const subscription = subscribe();
    expect(() => subscribe()).toThrow("already subscribed");
    await subscription.close();
    socket.queue({ bytes: message(24, 0, 0, [3]) });
    socket.notify();
    expect([seen, socket.groups.size]).toEqual([[], 0]);
  });
});

const news = (value: number) => ({ bytes: message(24, 0, 0, [value]) });

describe("NotifyChannel.catchUp()", () => {
  it("tells all that waits, however much, a few at a time", async () => {
    const { socket, channel, seen, clock, subscribe } = setUp();
    subscribe();
    socket.queue(...Array.from({ length: 500 }, (_, i) => news(i % 200)));
    const turns: number[] = [];
    clock.yield = async () => void turns.push(seen.length);
    await channel.catchUp();
    expect(seen).toHaveLength(500);
    expect(turns).toEqual([64, 128, 192, 256, 320, 384, 448]);
  });

  it("tells a loss as well, and goes on", async () => {
    const { socket, channel, seen, subscribe } = setUp();
    subscribe();
    socket.queue(news(1), -ENOBUFS, news(2));
    await channel.catchUp();
    expect(seen).toEqual(["24:1", "lost: the receive buffer overflowed", "24:2"]);
  });

  it("gives up on a storm that does not end", async () => {
    const { socket, channel, clock, subscribe } = setUp();
    subscribe();
    let read = 0;
    socket.receiveNow = () => {
      if (++read % 64 === 0) clock.time += 10;
      return 0;
    };
    await channel.catchUp();
    expect(clock.time).toBe(DRAIN_LIMIT_MS);
  });

  it("touches nothing while it is paused, nor without anybody who listens, nor after the end", async () => {
    const { socket, channel, seen, subscribe } = setUp();
    await channel.catchUp();
    const subscription = subscribe();
    subscription.pause();
    socket.queue(...Array.from({ length: 100 }, () => news(2)));
    await channel.catchUp();
    expect(seen).toEqual([]);
    subscription.resume();
    const end = channel.catchUp();
    await channel.close();
    await end;
    expect(seen).toHaveLength(64);
  });
});

describe("NotifyChannel after a loss", () => {
  it("reads nothing while it is paused, throws that away in the drain, and goes on with what came after", async () => {
    const { socket, seen, subscribe } = setUp();
    const subscription = subscribe();
    subscription.pause();
    socket.queue(news(1), -ENOBUFS, news(2));
    socket.notify();
    expect(seen).toEqual([]);
    expect(await subscription.drain()).toBe("empty");
    socket.queue(news(3));
    subscription.resume();
    socket.notify();
    expect(seen).toEqual(["24:3"]);
  });

  it("takes drops of the time before the end of the drain for the same loss, and later ones for another", async () => {
    const { socket, seen, subscribe } = setUp();
    const subscription = subscribe();
    subscription.pause();
    socket.queue(news(1));
    socket.dropCount = 7;
    expect(await subscription.drain()).toBe("empty");
    subscription.resume();
    socket.queue(news(2));
    socket.notify();
    socket.notify();
    expect(seen).toEqual(["24:2"]);
    socket.dropCount = 8;
    socket.queue(news(3));
    socket.notify();
    socket.notify();
    expect(seen.slice(1)).toEqual(["24:3", "lost: notifications were dropped while older ones were read"]);
  });

  it("drains on when more is dropped meanwhile", async () => {
    const { socket, subscribe } = setUp();
    const subscription = subscribe();
    subscription.pause();
    let asked = 0;
    socket.drops = () => {
      asked++;
      if (asked < 4) socket.queue(news(asked));
      return Math.min(asked, 4);
    };
    expect(await subscription.drain()).toBe("empty");
    expect(asked).toBe(5);
    expect(
      socket.receiveNow({
        bytes: new Uint8Array(),
        view: null!,
        address: new Uint8Array(12),
        sender: () => 0,
      }),
    ).toBe(-11);
  });

  it("gives a drain up that a storm fills faster than it is read", async () => {
    const { clock, socket, subscribe } = setUp();
    const subscription = subscribe();
    subscription.pause();
    let read = 0;
    socket.receiveNow = () => {
      if (++read % 64 === 0) clock.time += 10;
      return 32;
    };
    expect(await subscription.drain()).toBe("storm");
    expect(clock.time).toBe(DRAIN_LIMIT_MS);
  });

  it.each([
    ["the descriptor is not ours any more", EBADF, false],
    ["any other error", EIO, true],
  ])("takes another socket after %s", async (_why, errno, closesTheOld) => {
    const { socket, spare, seen, subscribe } = setUp();
    const other = new FakeNetlinkSocket();
    const subscription = subscribe();
    socket.queue(-errno);
    socket.notify();
    subscription.pause();
    expect(seen.splice(0)).toEqual([expect.stringMatching(/^lost: reading failed/)]);
    expect(await subscription.drain()).toBe("deaf");
    spare.push(other);
    expect(await subscription.drain()).toBe("empty");
    expect([socket.closed, [...other.groups]]).toEqual([closesTheOld, [1, 7]]);
    subscription.resume();
    other.queue(news(5));
    other.notify();
    expect(seen).toEqual(["24:5"]);
  });

  it("takes another one when the drain itself finds it broken, and none that joins no group", async () => {
    const { socket, spare, seen, subscribe } = setUp();
    const useless = new FakeNetlinkSocket();
    useless.addMembership = () => -1;
    const other = new FakeNetlinkSocket();
    const subscription = subscribe();
    subscription.pause();
    socket.queue(-EIO);
    spare.push(useless, other);
    expect(await subscription.drain()).toBe("deaf");
    expect([useless.closed, socket.closed]).toEqual([true, false]);
    expect(await subscription.drain()).toBe("empty");
    subscription.resume();
    other.queue(news(6));
    other.notify();
    expect(seen).toEqual(["24:6"]);
  });

  it("opens none after its end", async () => {
    const { channel, socket, spare, subscribe } = setUp();
    const subscription = subscribe();
    socket.queue(-EIO);
    socket.notify();
    spare.push(new FakeNetlinkSocket());
    await channel.close();
    expect([await subscription.drain(), spare.length]).toEqual(["deaf", 1]);
    subscription.resume();
  });
});
