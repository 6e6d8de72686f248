/**
 * Whether a dump that ended well really came to its end. A route that does not fit into one frame of 32 KiB (a thousand
 * nexthops of IPv6, two thousand of IPv4) ends Linux's dump there, as if nothing came behind it: DONE, no error. Nothing
 * in the dump gives that away, so it takes something that is known to be behind the last route shown:
 *
 *   a route that an event told of, too fat for any dump and not told to be gone
 *   a route of ours, acknowledged or wanted, that a dump of our protocol alone shows: that one passes over the fat one
 *   the last route of the table as of an earlier dump or an event, which a dump of its protocol alone shows
 *
 * The routes of ours that are behind the end come from the dump of our protocol. What precedes them at their keys is
 * not known, so they are never replaced in place (RIVAL). Of others nothing is known there: nothing of it is withdrawn.
 */

import type { Clock } from "../../lib/clock.ts";
import { compareDumpOrder } from "../../lib/dump-order.ts";
import type { Log } from "../../lib/log.ts";
import { formatPrefix } from "../../lib/prefix.ts";
import { ATTRS_NEXTHOPS } from "../../nest/attrs-draft.ts";
import { DIRTY, INSTALLED, RIVAL, SENT, VERDICT_CREATE, VERDICT_MASK } from "../../nest/sync-flags.ts";
import { walkNodes } from "../../nest/walk.ts";
import type { KernelRoute, Os, RouteChange, RouteSink, ScanOutcome } from "../../sysdep/os.ts";
import type { KernelConfig } from "./config.ts";
import type { RouteScan } from "./scan.ts";
import type { OwnNumbers } from "./status.ts";
import type { SyncState } from "./sync-state.ts";

/** From so many nexthops on a route may not fit: rtnexthop and gateway are 16 and 28 bytes, of 32 KiB minus some. */
const FAT = { 4: 1900, 6: 1100 } as const;

interface Key {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly length: number;
  readonly protocol: number;
}

const HINT =
  "a foreign route with a thousand nexthops or more probably follows, which hides all behind it. " +
  "Own routes are kept as they should be; learned ones behind it are not withdrawn";

/** Passes a dump on and remembers where it ended. */
class DumpTail implements RouteSink {
  private readonly sink: RouteSink;
  shown = false;
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  length = 0;
  protocol = 0;
  metric = 0;
  tos = 0;

  constructor(sink: RouteSink) {
    this.sink = sink;
  }

  ahead(w0: number, w1: number, w2: number, w3: number, length: number): void {
    this.sink.ahead?.(w0, w1, w2, w3, length);
  }

  route(route: KernelRoute): void {
    this.shown = true;
    this.w0 = route.w0;
    this.w1 = route.w1;
    this.w2 = route.w2;
    this.w3 = route.w3;
    this.length = route.length;
    this.protocol = route.protocol;
    this.metric = route.metric;
    this.tos = route.tos;
    this.sink.route(route);
  }
}

interface FatRoute {
  readonly key: Key;
  readonly metric: number;
  readonly tos: number;
  readonly nexthops: number;
}

export interface TableOutcome extends ScanOutcome {
  /** Behind what it ended early, as text; null: nothing speaks for that. */
  readonly cut: string | null;
}

type Examined = Pick<TableOutcome, "complete" | "reason" | "cut">;

export interface EarlyEndOptions {
  readonly name: string;
  readonly config: () => Pick<KernelConfig, "kernelTable">;
  readonly state: SyncState;
  readonly os: Os;
  readonly numbers: Pick<OwnNumbers, "ours">;
  readonly clock: Clock;
  readonly log: Log;
}

export class EarlyEnd {
  /** The last dump ended early, as far as can be told. */
  isCut = false;
  private told = false;
  private readonly options: EarlyEndOptions;
  /** The last of all that is known to be in the table. */
  private last: Key | null = null;
  /** Told by events, by place. */
  private readonly fat = new Map<string, FatRoute>();

  constructor(options: EarlyEndOptions) {
    this.options = options;
  }

  /** A route of the table came, or went. */
  event(route: KernelRoute, change: RouteChange): void {
    const { family } = this.options.state.table;
    const nexthops = route.attrs.words[ATTRS_NEXTHOPS]!;
    if (this.fat.size > 0 || nexthops >= FAT[family]) this.noteFat(route, change, nexthops);
    if (change === "gone" || (this.last !== null && compareDumpOrder(family, route, this.last) <= 0)) return;
    this.last = keyOf(route);
  }

  /** A fat route may share its place with others, which come and go beside it. */
  private noteFat(route: KernelRoute, change: RouteChange, nexthops: number): void {
    const { family } = this.options.state.table;
    const { metric, tos } = route;
    const place = `${this.text(route)} ${metric} ${tos}`;
    const known = this.fat.get(place)?.nexthops ?? 0;
    const fat = nexthops >= FAT[family];
    let left = nexthops;
    if (change === "new" && !fat) left = known;
    // Of an IPv6 route perhaps only the nexthops shown are gone.
    else if (change === "gone") left = family === 6 ? known - nexthops : fat ? 0 : known;
    if (left >= FAT[family]) this.fat.set(place, { key: keyOf(route), metric, tos, nexthops: left });
    else this.fat.delete(place);
  }

  /** Notifications were lost, or IPv4 may have removed routes silently: an event of before proves nothing. */
  forgetFat(): void {
    this.fat.clear();
  }

  /**
   * Dumps the table for a scan, to its true end as far as ours are concerned. `first`: nothing is known to have been
   * sent, so what is wanted is looked for. `over`: the scan will not be acted on. `quiet`: no route has changed since it
   * began; else what a second dump shows may have come after the first.
   */
  async read(
    scan: RouteScan,
    first: boolean,
    over: () => boolean,
    quiet: () => boolean,
  ): Promise<TableOutcome> {
    const tail = new DumpTail(scan);
    const outcome = await this.dump(tail);
    if (!outcome.complete || over()) return { ...outcome, cut: null };
    return { ...outcome, ...(await this.examine(scan, tail, first, over, quiet)) };
  }

  /**
   * The dump is acted on. Returns what is wrong with the table because of `cut`, or null. Two in a row must have ended
   * early: news of what came between a dump and the one that looked again may be later than both.
   */
  conclude(cut: string | null): string | null {
    const { log, name } = this.options;
    const before = this.isCut;
    this.isCut = cut !== null;
    if (cut === null && this.told) log.info("the kernel shows the whole table again", { protocol: name });
    if (cut === null || !before) {
      this.told = false;
      return null;
    }
    if (!this.told) {
      log.error("the kernel does not show the whole table", { protocol: name, after: cut, hint: HINT });
    }
    this.told = true;
    return `the kernel's dump ended early, after ${cut}: ${HINT}`;
  }

  private async examine(
    scan: RouteScan,
    tail: DumpTail,
    first: boolean,
    stopped: () => boolean,
    quiet: () => boolean,
  ): Promise<Examined> {
    const { family } = this.options.state.table;
    for (const [place, fat] of this.fat) if (!this.isUnreached(fat, tail)) this.fat.delete(place);
    let cut = this.fat.size > 0;
    if (cut || (await this.missesOurs(tail, first, stopped))) {
      const { ours } = this.options.numbers;
      for (let protocol = 0; protocol < ours.length; protocol++) {
        if (ours[protocol] === 0) continue;
        const found = await this.lookForOurs(scan, tail, protocol);
        if (!found.outcome.complete) return { ...found.outcome, cut: null };
        cut ||= found.count > 0 && quiet();
      }
    }
    if (!cut && this.last !== null && this.isBehind(this.last, tail)) {
      let behind = false;
      const route = (shown: KernelRoute): void => {
        behind ||= this.isBehind(shown, tail);
      };
      const outcome = await this.dump({ route }, this.last.protocol);
      if (!outcome.complete) return { ...outcome, cut: null };
      if (behind && !quiet()) return { complete: true, reason: null, cut: null };
      cut = behind;
    }
    const whole = { complete: true, reason: null };
    if (cut) return { ...whole, cut: tail.shown ? this.text(tail) : `the beginning of IPv${family}` };
    this.last = tail.shown ? keyOf(tail) : null;
    return { ...whole, cut: null };
  }

  /** Whether a route that should be there, and that the dump did not show, has its place behind the dump's end. */
  private async missesOurs(tail: DumpTail, first: boolean, stopped: () => boolean): Promise<boolean> {
    const { state, clock } = this.options;
    const { fib } = state.table;
    const { flags } = fib;
    const expected = first ? INSTALLED | SENT : SENT;
    const unseen = (node: number): boolean => {
      const is = flags[node]!;
      return (is & expected) !== 0 && (is & DIRTY) === 0 && (is & VERDICT_MASK) === VERDICT_CREATE;
    };
    let some = false;
    for (let node = 0; node < flags.length && !some; node++) some = unseen(node);
    if (!some) return false;
    let found = false;
    const look = (node: number): void => {
      // Of one prefix those of higher metrics come later.
      found ||= unseen(node) && this.order(fib.prefix(node), tail) >= 0;
    };
    await walkNodes(fib, look, clock, { stopped: () => found || stopped() });
    return found;
  }

  /** Shows the scan what the dump did not, and counts it. */
  private async lookForOurs(
    scan: RouteScan,
    tail: DumpTail,
    protocol: number,
  ): Promise<{ readonly outcome: ScanOutcome; readonly count: number }> {
    const { fib } = this.options.state.table;
    let count = 0;
    const route = (shown: KernelRoute): void => {
      const order = this.order(shown, tail);
      if (order < 0) return;
      const node = fib.find(shown.w0, shown.w1, shown.w2, shown.w3, shown.length);
      if (order === 0 && (node === 0 || (fib.flags[node]! & VERDICT_MASK) !== VERDICT_CREATE)) return;
      // What we have written meanwhile was not hidden.
      if (node === 0 || (fib.flags[node]! & DIRTY) === 0) count++;
      scan.route(shown);
      if (node !== 0) fib.flags[node]! |= RIVAL;
    };
    const outcome = await this.dump({ route }, protocol);
    return { outcome, count };
  }

  private dump(sink: RouteSink, protocol?: number): Promise<ScanOutcome> {
    const { os, state, config } = this.options;
    const query = { family: state.table.family, table: config().kernelTable };
    return os.scanRoutes(protocol === undefined ? query : { ...query, protocol }, sink);
  }

  private isBehind(key: Omit<Key, "protocol">, tail: DumpTail): boolean {
    return this.order(key, tail) > 0;
  }

  /** Of one prefix the routes for a higher type of service come first, then those of lower metric. */
  private isUnreached({ key, metric, tos }: FatRoute, tail: DumpTail): boolean {
    const order = this.order(key, tail) || tail.tos - tos || metric - tail.metric;
    return order > 0;
  }

  /** > 0: behind the end of the dump. */
  private order(key: Omit<Key, "protocol">, tail: DumpTail): number {
    return tail.shown ? compareDumpOrder(this.options.state.table.family, key, tail) : 1;
  }

  private text({ w0, w1, w2, w3, length }: Omit<Key, "protocol">): string {
    return formatPrefix(this.options.state.table.family, w0, w1, w2, w3, length);
  }
}

function keyOf({ w0, w1, w2, w3, length, protocol }: Key): Key {
  return { w0, w1, w2, w3, length, protocol };
}
