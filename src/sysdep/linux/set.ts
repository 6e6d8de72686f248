/**
 * HOT PATH. Writes batches of route changes: encodes them into 128 KiB buffers, one send each, and maps what
 * the kernel answered back onto the batch. While the kernel works on one buffer (in the thread pool), the next
 * is encoded, also when it belongs to the next batch:
 *
 *   encode A1 | encode A2 | encode B1 | wait for a free buffer …        this thread
 *             | kernel A1 ……………… | kernel A2 ……………… | kernel B1 …        thread pool
 */

import { EMSGSIZE, ENOENT, ESRCH } from "../../lib/errno.ts";
import { ROUTE_DELETE, ROUTE_DELETE_EXACT, type RouteBatch, UNKNOWN_OUTCOME } from "../os.ts";
import { NLM_F_ACK } from "./netlink/constants.ts";
import type { BatchReply, NetlinkTransport } from "./netlink/transport.ts";
import { type EncoderAttrs, RouteEncoder } from "./rtnetlink/route.ts";

/** Bytes per send: large enough that the cost of a call vanishes, small enough for any send buffer. */
const BUFFER_BYTES = 128 * 1024;
/** One in the kernel, one waiting for it, one being encoded. */
const BUFFERS = 3;

interface WriteBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** One send under construction: changes [from, to) of the batch in bytes [0, length). */
interface Encoded {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** A batch between being handed in and being settled. */
interface RunningWrite {
  readonly batch: RouteBatch;
  readonly sends: Promise<void>[];
  failure: { readonly error: unknown } | null;
}

export class RouteWriter {
  /** Changes sent since the writer was made. */
  writes = 0;
  private readonly transport: NetlinkTransport;
  private readonly encoder: RouteEncoder;
  private readonly free: WriteBuffer[] = [];
  private readonly waiting: ((buffer: WriteBuffer) => void)[] = [];
  /** Batches are encoded in the order they were handed in. */
  private encoding: Promise<void> = Promise.resolve();
  private encodingCount = 0;

  constructor(transport: NetlinkTransport, attrs: EncoderAttrs) {
    this.transport = transport;
    this.encoder = new RouteEncoder(attrs);
    for (let i = 0; i < BUFFERS; i++) {
      const bytes = new Uint8Array(BUFFER_BYTES);
      this.free.push({ bytes, view: new DataView(bytes.buffer) });
    }
  }

  /** Resolves when every change of the batch has its outcome. Rejects only when the transport is not open. */
  async write(batch: RouteBatch): Promise<void> {
    batch.errno.fill(UNKNOWN_OUTCOME, 0, batch.count);
    batch.errorText.clear();
    const running: RunningWrite = { batch, sends: [], failure: null };
    // With nothing ahead it is encoded at once, so that the kernel starts before the caller goes on.
    const encoded =
      this.encodingCount === 0 ? this.encodeAll(running) : this.encoding.then(() => this.encodeAll(running));
    this.encodingCount++;
    this.encoding = encoded.then(() => {
      this.encodingCount--;
    });
    await encoded;
    await Promise.all(running.sends);
    if (running.failure !== null) throw running.failure.error;
  }

  private async encodeAll(running: RunningWrite): Promise<void> {
    const { batch } = running;
    const firstSequence = this.transport.reserveSequence(batch.count);
    let index = 0;
    while (index < batch.count) {
      const buffer = this.free.pop() ?? (await new Promise<WriteBuffer>((grant) => this.waiting.push(grant)));
      const part = this.encode(batch, index, firstSequence, buffer);
      if (part.to === part.from) {
        // Larger than a whole buffer: no send could carry it.
        batch.errno[index] = EMSGSIZE;
        index++;
        this.release(buffer);
        continue;
      }
      index = part.to;
      this.writes += part.to - part.from;
      running.sends.push(this.send(running, part, firstSequence, buffer));
    }
  }

  /** Fills the buffer from change `from` on, with the acknowledgement asked on the last one. */
  private encode(batch: RouteBatch, from: number, firstSequence: number, buffer: WriteBuffer): Encoded {
    const { bytes, view } = buffer;
    const { family, table, protocol, op, key, length, metric, attrs, count } = batch;
    let at = 0;
    let last = 0;
    let index = from;
    for (; index < count; index++) {
      const word = index * 4;
      const next = this.encoder.encode(
        bytes,
        view,
        at,
        op[index]!,
        family,
        key[word]!,
        key[word + 1]!,
        key[word + 2]!,
        key[word + 3]!,
        length[index]!,
        table,
        protocol[index]!,
        metric[index]!,
        attrs[index]!,
        firstSequence + index,
        0,
      );
      if (next < 0) break;
      last = at;
      at = next;
    }
    if (index > from) view.setUint16(last + 6, view.getUint16(last + 6, true) | NLM_F_ACK, true);
    return { from, to: index, length: at };
  }

  private async send(
    running: RunningWrite,
    part: Encoded,
    firstSequence: number,
    buffer: WriteBuffer,
  ): Promise<void> {
    const count = part.to - part.from;
    const first = firstSequence + part.from;
    try {
      settle(running.batch, part, await this.transport.batch(buffer.bytes, part.length, count, first));
    } catch (error) {
      running.failure = { error };
    } finally {
      this.release(buffer);
    }
  }

  private release(buffer: WriteBuffer): void {
    const grant = this.waiting.shift();
    if (grant === undefined) this.free.push(buffer);
    else grant(buffer);
  }
}

/** Writes the outcome of changes [from, to) into the batch. */
function settle(batch: RouteBatch, part: Encoded, reply: BatchReply): void {
  const known = reply.unknownFrom === null ? part.to : part.from + reply.unknownFrom;
  batch.errno.fill(0, part.from, known);
  batch.errno.fill(UNKNOWN_OUTCOME, known, part.to);
  for (const [offset, { errno, message }] of reply.errors) {
    const index = part.from + offset;
    const op = batch.op[index];
    const gone = (op === ROUTE_DELETE || op === ROUTE_DELETE_EXACT) && (errno === ESRCH || errno === ENOENT);
    batch.errno[index] = gone ? 0 : errno;
    if (!gone && message !== null) batch.errorText.set(index, message);
  }
}
