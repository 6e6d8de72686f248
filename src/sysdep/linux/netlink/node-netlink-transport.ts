/**
 * The second netlink transport, over the optional dependency node-netlink: for machines where koffi has no
 * binary. It is slow (dumps are quadratic, one write per round trip), has no notifications, no strict dumps and
 * no texts of the kernel with its errors; correctness then rests on periodic scans. Same port, same handlers.
 *
 * A dump of a table the kernel does not have ends with an error in NLMSG_DONE, which the library drops; that
 * does no harm, as without strict checking the kernel dumps the whole family and never says so.
 */

import { errnoText } from "../../../lib/errno.ts";
import { KrtdError } from "../../../lib/errors.ts";
import { NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_OVERRUN } from "./constants.ts";
import { MutableWireCounters, type WireCounters } from "./counters.ts";
import { MessageCursor, requireLittleEndian } from "./message.ts";
import { NodeNetlinkConnection, type NodeNetlinkLibrary } from "./node-netlink-connection.ts";
import { Sequences } from "./sequence.ts";
import type {
  BatchReply,
  DumpReply,
  DumpRequest,
  MessageHandler,
  NetlinkTransport,
  Subscription,
} from "./transport.ts";

/** For a whole dump: the library has no time-out per read. */
const DUMP_TIMEOUT_MS = 120_000;
const COMMAND_TIMEOUT_MS = 5000;
/** Messages handed over in one turn of the event loop. */
const SLICE = 1024;

interface Connections {
  readonly dump: NodeNetlinkConnection;
  readonly command: NodeNetlinkConnection;
}

export class NodeNetlinkTransport implements NetlinkTransport {
  readonly name = "node-netlink";
  readonly supportsMonitor = false;
  readonly counters: WireCounters;
  private readonly wire = new MutableWireCounters();
  private readonly sequences = new Sequences();
  private readonly load: () => Promise<NodeNetlinkLibrary>;
  private connections: Connections | null = null;

  /** `load` is for tests. */
  constructor(load: () => Promise<NodeNetlinkLibrary> = loadLibrary) {
    this.load = load;
    this.counters = this.wire;
  }

  /** Throws KrtdError "transport-unavailable" when the library is missing or cannot open a socket. */
  async open(): Promise<void> {
    if (this.connections !== null) return;
    requireLittleEndian();
    try {
      const library = await this.load();
      const onReplaced = (): void => {
        this.wire.overruns++;
      };
      const dump = new NodeNetlinkConnection(library, onReplaced);
      const command = new NodeNetlinkConnection(library, onReplaced);
      await dump.open();
      await command.open();
      this.connections = { dump, command };
    } catch (error) {
      throw new KrtdError(
        "transport-unavailable",
        `Cannot use netlink transport node-netlink: ${error instanceof Error ? error.message : String(error)}`,
        {
          hint: "It is an optional package that needs a compiler to install; `netlink.transport: socket` needs none.",
          cause: error,
        },
      );
    }
  }

  async close(): Promise<void> {
    const connections = this.connections;
    this.connections = null;
    if (connections !== null) await Promise.all([connections.dump.close(), connections.command.close()]);
  }

  async dump(request: DumpRequest, onMessage: MessageHandler): Promise<DumpReply> {
    const { dump } = this.opened();
    return dump.inTurn(async () => {
      const flags = NLM_F_REQUEST | NLM_F_DUMP | NLM_F_ACK;
      const talk = await dump.talk(request.type, flags, request.payload, DUMP_TIMEOUT_MS);
      if (!talk.answered) return reply(0, false, talk.reason, 0);
      let interrupted = false;
      let reason: string | null = null;
      let messages = 0;
      for (const { header, payload } of talk.packets) {
        if (Number(header.nlmsg_pid) !== dump.portId) continue;
        const type = Number(header.nlmsg_type);
        const packetFlags = Number(header.nlmsg_flags);
        if ((packetFlags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (type === NLMSG_OVERRUN) {
          this.wire.overruns++;
          reason = "the kernel reports lost data";
          continue;
        }
        messages++;
        const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
        onMessage(payload, view, 0, payload.length, type, packetFlags);
        if (messages % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      if (talk.errno !== 0) reason ??= `the kernel says "${errnoText(talk.errno)}"`;
      if (interrupted) reason ??= "the kernel's data changed while it was read";
      return reply(talk.errno, interrupted, reason, messages);
    });
  }

  reserveSequence(count: number): number {
    return this.sequences.reserve(count);
  }

  /** One message and its acknowledgement after the other; the library numbers them itself. */
  async batch(bytes: Uint8Array, length: number, count: number, firstSequence: number): Promise<BatchReply> {
    const { command } = this.opened();
    return command.inTurn(async () => {
      const errors = new Map<number, { readonly errno: number; readonly message: string | null }>();
      const cursor = new MessageCursor();
      cursor.reset(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), length);
      let known = 0;
      while (cursor.next()) {
        const index = cursor.sequence - firstSequence;
        const payload = bytes.subarray(cursor.start, cursor.end);
        const flags = cursor.flags | NLM_F_ACK;
        const talk = await command.talk(cursor.type, flags, payload, COMMAND_TIMEOUT_MS);
        if (!talk.answered) break;
        if (talk.errno !== 0) errors.set(index, { errno: talk.errno, message: null });
        known = index + 1;
      }
      return { errors, unknownFrom: known < count ? known : null };
    });
  }

  async catchUp(): Promise<void> {}

  async subscribe(): Promise<Subscription> {
    throw new KrtdError(
      "unsupported",
      "Cannot subscribe to netlink groups: node-netlink does not report losses",
    );
  }

  private opened(): Connections {
    if (this.connections === null) {
      throw new KrtdError("not-open", "Cannot use the netlink transport: it is not open");
    }
    return this.connections;
  }
}

/** Only when asked for, as it is optional and loads native code. */
async function loadLibrary(): Promise<NodeNetlinkLibrary> {
  return (await import("node-netlink")).default;
}

function reply(errno: number, interrupted: boolean, reason: string | null, messages: number): DumpReply {
  return { complete: reason === null, errno, interrupted, reason, messages };
}
