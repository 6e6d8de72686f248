/** The second transport against a scripted library: its numbers, its quirks, its failures. */

import { describe, expect, it } from "vitest";
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_OVERRUN,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from "../../../../src/sysdep/linux/netlink/constants.ts";
import type { NodeNetlinkLibrary } from "../../../../src/sysdep/linux/netlink/node-netlink-connection.ts";
import { NodeNetlinkTransport } from "../../../../src/sysdep/linux/netlink/node-netlink-transport.ts";
import { bytesOf, message } from "../../../support/fake-netlink-socket.ts";

type Socket = Awaited<ReturnType<NodeNetlinkLibrary["open"]>>;
type Message = Parameters<Socket["tryTalk"]>[0];
type Answer = Awaited<ReturnType<Socket["tryTalk"]>>;

const PORT = 31n;

class FakeLibrary implements NodeNetlinkLibrary {
  readonly log: string[] = [];
  readonly asked: Message[] = [];
  answer: (message: Message) => Promise<Answer> = async () => ({ errorCode: 0, packets: [] });
  private count = 0;

  async open({ family }: { readonly family: number }): Promise<Socket> {
    const id = ++this.count;
    this.log.push(`open ${id} family ${family}`);
    return {
      nl_pid: PORT,
      tryTalk: (asked) => {
        this.asked.push(asked);
        return this.answer(asked);
      },
      close: async () => {
        this.log.push(`close ${id}`);
      },
    };
  }
}

const packet = (value: number, flags = 2, type = RTM_NEWROUTE, port = PORT) => ({
  header: { nlmsg_type: BigInt(type), nlmsg_flags: BigInt(flags), nlmsg_seq: 1n, nlmsg_pid: port },
  payload: Uint8Array.of(9, value).subarray(1),
});

async function setUp() {
  const library = new FakeLibrary();
  const transport = new NodeNetlinkTransport(async () => library);
  await transport.open();
  const seen: number[] = [];
  const dump = () =>
    transport.dump({ type: RTM_GETROUTE, payload: Uint8Array.of(2) }, (bytes, view, start, end) => {
      expect(view.getUint8(start)).toBe(bytes[start]);
      expect(end - start).toBe(1);
      seen.push(bytes[start]!);
    });
  const batch = (count: number) => {
    const first = transport.reserveSequence(count);
    const messages = Array.from({ length: count }, (_, i) => message(24, 0x401, first + i, [i]));
    const bytes = bytesOf(...messages);
    return transport.batch(bytes, bytes.length, count, first);
  };
  return { library, transport, seen, dump, batch };
}

describe("NodeNetlinkTransport", () => {
  it("dumps through tryTalk and hands over whole payloads", async () => {
    const { library, seen, dump } = await setUp();
    library.answer = async () => ({ errorCode: 0, packets: [packet(1), packet(2), packet(3, 2, 24, 99n)] });
    expect(await dump()).toEqual({ complete: true, errno: 0, interrupted: false, reason: null, messages: 2 });
    expect(seen).toEqual([1, 2]);
    const flags = NLM_F_REQUEST | NLM_F_DUMP | NLM_F_ACK;
    expect(library.asked[0]!.header).toEqual({
      nlmsg_type: BigInt(RTM_GETROUTE),
      nlmsg_flags: BigInt(flags),
    });
  });

  it.each<[string, Answer, string]>([
    ["an error", { errorCode: 16, packets: [] }, 'the kernel says "Device or resource busy"'],
    [
      "DUMP_INTR",
      { errorCode: 0, packets: [packet(1, NLM_F_DUMP_INTR)] },
      "the kernel's data changed while it was read",
    ],
    ["an overrun", { errorCode: 0, packets: [packet(1, 0, NLMSG_OVERRUN)] }, "the kernel reports lost data"],
  ])("is incomplete after %s", async (_why, answer, reason) => {
    const { library, dump } = await setUp();
    library.answer = async () => answer;
    expect(await dump()).toMatchObject({ complete: false, reason });
  });

  it("replaces a socket that went deaf, counts it, and goes on with another", async () => {
    const { library, transport, dump } = await setUp();
    const opened = library.log.length;
    library.answer = async () => {
      throw new Error("timeout reached");
    };
    expect(await dump()).toMatchObject({ complete: false, reason: "timeout reached" });
    expect(transport.counters.overruns).toBe(1);
    library.answer = async () => ({ errorCode: 0, packets: [packet(1)] });
    expect(await dump()).toMatchObject({ complete: true, messages: 1 });
    expect(library.log.slice(opened)).toEqual(["close 1", "open 3 family 0"]);
  });

  it("writes one message at a time, each acknowledged, and maps errors to their places", async () => {
    const { library, batch } = await setUp();
    let running = 0;
    library.answer = async ({ payload }) => {
      expect(++running).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return { errorCode: payload[0] === 1 ? 17 : 0, packets: [] };
    };
    const { errors, unknownFrom } = await batch(3);
    expect([[...errors], unknownFrom]).toEqual([[[1, { errno: 17, message: null }]], null]);
    expect(library.asked.map(({ header }) => header.nlmsg_flags)).toEqual([0x405n, 0x405n, 0x405n]);
  });

  it("stops at the first message without an answer: the rest is unknown", async () => {
    const { library, batch } = await setUp();
    library.answer = async ({ payload }) => {
      if (payload[0] === 1) throw new Error("timeout reached");
      return { errorCode: 0, packets: [] };
    };
    expect(await batch(3)).toEqual({ errors: new Map(), unknownFrom: 1 });
    expect(library.asked.length).toBe(2);
  });

  it("has no notifications", async () => {
    const { transport } = await setUp();
    expect(transport.supportsMonitor).toBe(false);
    await expect(transport.subscribe()).rejects.toMatchObject({ code: "unsupported" });
  });

  it("says what to do when the library is missing", async () => {
    const transport = new NodeNetlinkTransport(async () => {
      throw new Error("Cannot find package 'node-netlink'");
    });
    await expect(transport.open()).rejects.toMatchObject({
      code: "transport-unavailable",
      message: "Cannot use netlink transport node-netlink: Cannot find package 'node-netlink'",
      hint: expect.stringContaining("netlink.transport: socket"),
    });
  });

  it("closes both its sockets, after what is under way", async () => {
    const { library, transport, dump } = await setUp();
    library.answer = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return { errorCode: 0, packets: [] };
    };
    const running = dump();
    while (library.asked.length === 0) await Promise.resolve();
    await transport.close();
    expect(await running).toMatchObject({ complete: true });
    expect(library.log.filter((line) => line.startsWith("close")).sort()).toEqual(["close 1", "close 2"]);
    await expect(dump()).rejects.toMatchObject({ code: "not-open" });
  });
});
