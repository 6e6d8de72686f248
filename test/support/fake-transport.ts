/**
 * A netlink transport without a kernel: dumps are answered from a function, batches are kept and answered when
 * the test says so, notifications are injected. For the parts above the port: scan, set, iface, monitor.
 */

import { MessageCursor } from "../../src/sysdep/linux/netlink/message.ts";
import type {
  BatchReply,
  DumpReply,
  DumpRequest,
  MessageHandler,
  NetlinkTransport,
  Subscription,
} from "../../src/sysdep/linux/netlink/transport.ts";

export interface FakeMessage {
  readonly type: number;
  readonly payload: Uint8Array;
}

export interface FakeDump {
  readonly messages?: readonly FakeMessage[];
  readonly reply?: Partial<DumpReply>;
}

export interface SentBatch {
  readonly count: number;
  readonly firstSequence: number;
  /** Of each message, as it was when it was sent. */
  readonly messages: readonly { readonly type: number; readonly flags: number; readonly sequence: number }[];
  readonly length: number;
  answer(reply?: Partial<BatchReply>): void;
  fail(error: Error): void;
}

export const ALL_DONE: BatchReply = { errors: new Map(), unknownFrom: null };

export class FakeTransport implements NetlinkTransport {
  readonly name = "socket";
  supportsMonitor = true;
  readonly counters = { overruns: 0, truncated: 0, forged: 0, malformed: 0 };
  /** Requests in order. */
  readonly dumps: DumpRequest[] = [];
  readonly batches: SentBatch[] = [];
  /** Answers every batch at once, until it is null. */
  autoAnswer: BatchReply | null = ALL_DONE;
  answerDump: (request: DumpRequest, index: number) => FakeDump = () => ({});
  groups: readonly number[] = [];
  opened = 0;
  /** Notifications that wait in the socket. */
  readonly unread: FakeMessage[] = [];
  private onMessage: Parameters<NetlinkTransport["subscribe"]>[1] | null = null;
  private onLost: (reason: string) => void = () => {};
  private following = 1;

  async open(): Promise<void> {
    this.opened++;
  }

  async close(): Promise<void> {
    this.opened--;
  }

  async dump(request: DumpRequest, onMessage: MessageHandler): Promise<DumpReply> {
    const { messages = [], reply = {} } = this.answerDump(request, this.dumps.push(request) - 1);
    for (const { type, payload } of messages) {
      const { bytes, view, start, end } = embedded(payload);
      onMessage(bytes, view, start, end, type, 2);
    }
    return {
      complete: true,
      errno: 0,
      interrupted: false,
      reason: null,
      messages: messages.length,
      ...reply,
    };
  }

  reserveSequence(count: number): number {
    const first = this.following;
    this.following += count;
    return first;
  }

  batch(bytes: Uint8Array, length: number, count: number, firstSequence: number): Promise<BatchReply> {
    const cursor = new MessageCursor();
    cursor.reset(new DataView(bytes.buffer), length);
    const messages: SentBatch["messages"][number][] = [];
    while (cursor.next()) {
      messages.push({ type: cursor.type, flags: cursor.flags, sequence: cursor.sequence });
    }
    return new Promise((resolve, reject) => {
      this.batches.push({
        count,
        firstSequence,
        messages,
        length,
        answer: (reply = {}) => resolve({ ...ALL_DONE, ...reply }),
        fail: reject,
      });
      if (this.autoAnswer !== null) resolve(this.autoAnswer);
    });
  }

  async catchUp(): Promise<void> {
    for (const { type, payload } of this.unread.splice(0)) this.notify(type, payload);
  }

  async subscribe(
    groups: readonly number[],
    onMessage: Parameters<NetlinkTransport["subscribe"]>[1],
    onLost: (reason: string) => void,
  ): Promise<Subscription> {
    this.groups = groups;
    this.onMessage = onMessage;
    this.onLost = onLost;
    return {
      pause() {},
      drain: async () => "empty",
      resume() {},
      close: async () => {
        this.onMessage = null;
      },
    };
  }

  /** A notification arrives. */
  notify(type: number, payload: Uint8Array, ownEcho = false, flags = 0, port = 0): void {
    const { bytes, view, start, end } = embedded(payload);
    this.onMessage?.(bytes, view, start, end, type, flags, port, ownEcho);
  }

  lose(reason: string): void {
    this.onLost(reason);
  }
}

/** The payload in the middle of other bytes, as in a frame: a decoder that reads outside is caught. */
function embedded(payload: Uint8Array) {
  const bytes = new Uint8Array(payload.length + 32).fill(0xee);
  bytes.set(payload, 16);
  return { bytes, view: new DataView(bytes.buffer), start: 16, end: 16 + payload.length };
}
