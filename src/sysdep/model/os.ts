/**
 * The OS port over a ModelKernel: what a test gives to the protocols instead of Linux. It is asynchronous as
 * the real one is (results come in a later microtask, changes may happen in the middle of a scan), but it has
 * no timers and no threads, so a run is repeatable. Everything that can go wrong with a kernel goes wrong
 * here on demand (faults), and every write is in the journal.
 */

import { ENOENT, EPERM, ESRCH } from "../../lib/errno.ts";
import { KrtdError } from "../../lib/errors.ts";
import { formatPrefix, type Prefix } from "../../lib/prefix.ts";
import {
  type Drained,
  type InterfaceSink,
  type Monitor,
  type MonitorSink,
  type NetlinkCounters,
  type Os,
  ROUTE_ADD,
  ROUTE_REPLACE,
  type RouteBatch,
  type RouteQuery,
  type RouteSink,
  type ScanOutcome,
  UNKNOWN_OUTCOME,
} from "../os.ts";
import { Faults } from "./faults.ts";
import type { KernelEvent, ModelKernel } from "./kernel.ts";
import { type AttrsWords, RouteFlyweight, requestOf } from "./kernel-route.ts";
import { type RouteView, SUCCESS } from "./route.ts";

/** One change that was sent, with what the caller was told (deleting what is not there is a success). */
export interface JournalEntry {
  readonly op: "add" | "replace" | "delete";
  readonly table: number;
  readonly prefix: string;
  readonly metric: number;
  readonly protocol: number;
  readonly errno: number;
  readonly message: string | null;
}

/** A scan hands out this many nets, then lets the rest of the program run: dumps are not atomic. */
const NETS_PER_TURN = 64;
/** So many nets are shown ahead at once. */
const NETS_PER_FRAME = 8;

export class ModelOs implements Os {
  readonly transport = "model";
  readonly faults: Faults = new Faults();
  /** Every change that was sent, oldest first. A test may empty it. */
  readonly journal: JournalEntry[] = [];
  private readonly find: (() => ModelKernel) | null;
  private readonly attrs: AttrsWords;
  private readonly monitors = new Set<ModelMonitor>();
  private routeWrites = 0;
  private overruns = 0;
  private lastWrite: Promise<void> = Promise.resolve();
  private held: ModelKernel | null;
  private closed = false;

  /**
   * Over one kernel for ever; or, with a function, over the one it gives at open(), held until close(), as sockets
   * hold their network namespace. Such an Os throws "not-open" where the real one does.
   */
  constructor(kernel: ModelKernel | (() => ModelKernel), attrs: AttrsWords) {
    this.find = typeof kernel === "function" ? kernel : null;
    this.held = typeof kernel === "function" ? null : kernel;
    this.attrs = attrs;
  }

  get counters(): NetlinkCounters {
    const { overruns, routeWrites } = this;
    return { overruns, truncated: 0, forged: 0, malformed: 0, routeWrites };
  }

  async open(): Promise<void> {
    this.held ??= this.find?.() ?? null;
    this.closed = false;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.lastWrite;
    for (const monitor of [...this.monitors]) await monitor.close();
    if (this.find !== null) this.held = null;
  }

  async mayWrite(): Promise<boolean> {
    this.opened();
    return !this.faults.privilegeDenied;
  }

  async scanInterfaces(sink: InterfaceSink): Promise<ScanOutcome> {
    const kernel = this.opened();
    await Promise.resolve();
    const reason = this.faults.takeIncompleteInterfaceScan();
    const links = kernel.links.all().map((link) => kernel.links.info(link));
    const shown = reason === null ? links : links.slice(0, links.length >> 1);
    for (const monitor of this.monitors) monitor.deliver();
    for (const link of shown) sink.link(link);
    const addresses = reason === null ? [...kernel.addresses(4), ...kernel.addresses(6)] : [];
    for (const address of addresses) sink.address(address);
    return { complete: reason === null, reason, messages: shown.length + addresses.length };
  }

  async scanRoutes(query: RouteQuery, sink: RouteSink): Promise<ScanOutcome> {
    const kernel = this.opened();
    await Promise.resolve();
    const { family, table, protocol } = query;
    const reason = this.faults.takeIncompleteScan();
    const flyweight = new RouteFlyweight();
    const nets = kernel.nets(family, table);
    const end = reason === null ? nets.length : nets.length >> 1;
    let messages = 0;
    for (let i = 0; i < end; i++) {
      if (this.closed) return { complete: false, reason: "the transport was closed", messages };
      if (i % NETS_PER_FRAME === 0) showAhead(kernel, table, nets.slice(i, i + NETS_PER_FRAME), sink);
      for (const route of kernel.routesOf(table, nets[i]!)) {
        if (protocol !== undefined && route.protocol !== protocol) continue;
        // As if it were the end of the table.
        if (!fitsFrame(route)) return { complete: true, reason: null, messages };
        sink.route(flyweight.show(route));
        messages++;
        this.faults.shown(messages);
      }
      if (i % NETS_PER_TURN === NETS_PER_TURN - 1) await Promise.resolve();
    }
    return { complete: reason === null, reason, messages };
  }

  async writeRoutes(batch: RouteBatch): Promise<void> {
    const kernel = this.opened();
    const written = this.lastWrite.then(() => this.apply(kernel, batch));
    this.lastWrite = written;
    await written;
  }

  async monitor(sink: MonitorSink): Promise<Monitor | null> {
    const kernel = this.opened();
    if (this.faults.withoutMonitor) return null;
    const monitor = new ModelMonitor(kernel, this, sink, () => this.monitors.delete(monitor));
    this.monitors.add(monitor);
    return monitor;
  }

  /** Throws away the events that were not delivered yet and says so, as a kernel does after an overrun. */
  loseEvents(reason = "notifications were lost"): void {
    this.overruns++;
    for (const monitor of this.monitors) monitor.lose(reason);
  }

  private opened(): ModelKernel {
    if (this.held === null) throw new KrtdError("not-open", "Cannot use the model kernel: it is not open");
    return this.held;
  }

  private apply(kernel: ModelKernel, batch: RouteBatch): void {
    batch.errorText.clear();
    for (let i = 0; i < batch.count; i++) {
      this.routeWrites++;
      const fault = this.faults.takeWriteFault();
      const request = requestOf(batch, i, this.attrs);
      const said = this.faults.privilegeDenied
        ? { errno: EPERM, message: null }
        : (fault ?? kernel.route(request, this));
      const gone = request.op === "delete" && (said.errno === ESRCH || said.errno === ENOENT);
      const answer = gone ? SUCCESS : said;
      const { family, w0, w1, w2, w3, length } = request.prefix;
      this.journal.push({
        op: batch.op[i] === ROUTE_ADD ? "add" : batch.op[i] === ROUTE_REPLACE ? "replace" : "delete",
        table: batch.table,
        prefix: formatPrefix(family, w0, w1, w2, w3, length),
        metric: batch.metric[i]!,
        protocol: batch.protocol[i]!,
        ...answer,
      });
      if (this.faults.takeLostAcknowledgement()) {
        batch.errno[i] = UNKNOWN_OUTCOME;
        continue;
      }
      batch.errno[i] = answer.errno;
      if (answer.message !== null) batch.errorText.set(i, answer.message);
    }
  }
}

/** Whether a dump can show the route: a message is at most a frame of 32 KiB without the kernel's overhead. */
function fitsFrame({ prefix, nexthops }: RouteView): boolean {
  return 60 + nexthops.length * (prefix.family === 4 ? 16 : 28) <= 32_448;
}

/** Delivers the kernel's events in a later microtask, in order, own echoes left out. */
class ModelMonitor implements Monitor {
  private readonly sink: MonitorSink;
  private readonly flyweight = new RouteFlyweight();
  private readonly stopListening: () => void;
  private readonly onClose: () => void;
  private queue: KernelEvent[] = [];
  private scheduled = false;
  private paused = false;
  private closed = false;
  private readonly faults: Faults;

  constructor(kernel: ModelKernel, owner: ModelOs, sink: MonitorSink, onClose: () => void) {
    this.sink = sink;
    this.faults = owner.faults;
    this.onClose = onClose;
    this.stopListening = kernel.listen((event) => {
      if (event.kind === "route" && event.origin === owner) return;
      this.queue.push(event);
      if (this.scheduled) return;
      this.scheduled = true;
      queueMicrotask(() => this.deliver());
    });
  }

  pause(): void {
    this.paused = true;
  }

  async drain(): Promise<Drained> {
    await Promise.resolve();
    this.queue = [];
    return this.faults.takeDrained();
  }

  resume(): void {
    this.paused = false;
    this.deliver();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.stopListening();
    this.onClose();
  }

  lose(reason: string): void {
    this.queue = [];
    this.sink.lost(reason);
  }

  deliver(): void {
    this.scheduled = false;
    while (!this.paused && !this.closed) {
      const event = this.queue.shift();
      if (event === undefined) return;
      this.tell(event);
    }
  }

  private tell(event: KernelEvent): void {
    switch (event.kind) {
      case "link":
        if (event.gone) this.sink.linkGone(event.link.ifindex);
        else this.sink.link(event.link);
        return;
      case "address":
        if (event.gone) this.sink.addressGone(event.address);
        else this.sink.address(event.address);
        return;
      case "route":
        this.sink.route(this.flyweight.show(event.route), event.change, event.port);
    }
  }
}

/** As Linux has it: of every route of the table, whoever's it is and whatever becomes of it before its turn. */
function showAhead(kernel: ModelKernel, table: number, nets: readonly Prefix[], sink: RouteSink): void {
  for (const net of nets) {
    const { w0, w1, w2, w3, length } = net;
    for (const _ of kernel.routesOf(table, net)) sink.ahead?.(w0, w1, w2, w3, length);
  }
}
