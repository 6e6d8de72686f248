/** Notifications: what gets through, what is our own echo, and that every loss is told. */

import { describe, expect, it } from "vitest";
import { ENOBUFS } from "../../../../src/lib/errno.ts";
import { NLMSG_NOOP, NLMSG_OVERRUN } from "../../../../src/sysdep/linux/netlink/constants.ts";
import { MutableWireCounters } from "../../../../src/sysdep/linux/netlink/counters.ts";
import { NotifyChannel } from "../../../../src/sysdep/linux/netlink/notify-channel.ts";
import { bytesOf, FakeNetlinkSocket, message } from "../../../support/fake-netlink-socket.ts";

const COMMAND_PORT = 500;

function setUp() {
  const socket = new FakeNetlinkSocket();
  const counters = new MutableWireCounters();
  const channel = new NotifyChannel(socket, COMMAND_PORT, counters);
  const seen: string[] = [];
  const subscribe = () =>
    channel.subscribe(
      [1, 7],
      (bytes, _view, start, _end, type, _flags, _port, ownEcho) =>
        seen.push(`${type}:${bytes[start]}${ownEcho ? " own" : ""}`),
      (reason) => seen.push(`lost: ${reason}`),
    );
  return { socket, counters, channel, seen, subscribe };
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
      { bytes: message(24, 0, 0, [1]), trueLength: 99_999 },
      "a notification of 99999 bytes was cut off",
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
