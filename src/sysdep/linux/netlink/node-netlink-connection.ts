/**
 * One socket of the node-netlink library, one request at a time, with the library's quirks contained:
 *
 * - after a failed read (ENOBUFS) it goes deaf without telling, and every later request times out; after a
 *   time-out it prints a warning for each late answer. So whatever fails, the socket is replaced.
 * - it checks neither the sender nor truncation, and drops the error number of NLMSG_DONE.
 * - closing takes up to 100 ms, the period of its poll loop.
 */

export interface NodeNetlinkHeader {
  readonly nlmsg_type: bigint;
  readonly nlmsg_flags: bigint;
}

export interface NodeNetlinkPacket {
  readonly header: NodeNetlinkHeader & { readonly nlmsg_seq: bigint; readonly nlmsg_pid: bigint };
  readonly payload: Uint8Array;
}

export interface NodeNetlinkSocket {
  /** Port id. */
  readonly nl_pid: bigint;
  /** Needs NLM_F_ACK. Rejects when nothing ended the request within `timeout` ms; `errorCode` is a positive errno. */
  tryTalk(
    message: { readonly header: NodeNetlinkHeader; readonly payload: Uint8Array },
    options?: { readonly timeout?: number },
  ): Promise<{ readonly errorCode: number; readonly packets: readonly NodeNetlinkPacket[] }>;
  close(): Promise<void>;
}

/** What krtd uses of the library's default export. */
export interface NodeNetlinkLibrary {
  open(options: { readonly family: number }): Promise<NodeNetlinkSocket>;
}

export type Talk =
  | { readonly answered: true; readonly errno: number; readonly packets: readonly NodeNetlinkPacket[] }
  | { readonly answered: false; readonly reason: string };

export class NodeNetlinkConnection {
  private readonly library: NodeNetlinkLibrary;
  private readonly onReplaced: () => void;
  private socket: NodeNetlinkSocket | null = null;
  private tail: Promise<unknown> = Promise.resolve();
  private closing = false;

  /** `onReplaced` is called when the socket failed and another takes its place. */
  constructor(library: NodeNetlinkLibrary, onReplaced: () => void) {
    this.library = library;
    this.onReplaced = onReplaced;
  }

  async open(): Promise<void> {
    this.socket = await this.library.open({ family: 0 });
  }

  async close(): Promise<void> {
    this.closing = true;
    await this.tail;
    await this.socket?.close();
    this.socket = null;
  }

  /** Runs `work` after all that was handed in before. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work);
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** Only inside inTurn(). `flags` must include NLM_F_ACK. Never rejects. */
  async talk(type: number, flags: number, payload: Uint8Array, timeoutMs: number): Promise<Talk> {
    if (this.closing) return { answered: false, reason: "the transport was closed" };
    try {
      this.socket ??= await this.library.open({ family: 0 });
      const header = { nlmsg_type: BigInt(type), nlmsg_flags: BigInt(flags) };
      const { errorCode, packets } = await this.socket.tryTalk({ header, payload }, { timeout: timeoutMs });
      return { answered: true, errno: errorCode, packets };
    } catch (error) {
      await this.replace();
      return { answered: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }

  get portId(): number {
    return this.socket === null ? 0 : Number(this.socket.nl_pid);
  }

  /** The next talk() opens another. */
  private async replace(): Promise<void> {
    this.onReplaced();
    const failed = this.socket;
    this.socket = null;
    await failed?.close().catch(() => undefined);
  }
}
