/**
 * HOT PATH. Which route a recursive route follows, and which changes of the table can matter to it. Every change of
 * a table of a million nets comes through coveredBy(), and nearly all of them cover no address that anybody
 * follows: one binary search says so.
 *
 *   position   0          1          2              sorted by address, unsigned
 *   words      10.0.0.9   10.1.2.3   192.0.2.1      four words each
 *   spec       17         4          4711           the spec that follows it
 *   answered   8          24         -1             length of the net that answered last, -1: none did
 *
 * A net shorter than the one that answered cannot matter. Routes that are recursive themselves do not count, so
 * what is found never depends on what follows from it: there are no circles, and no order of events changes the end.
 */

import type { IpAddress } from "../../lib/ip.ts";
import { maskWord, maxLength } from "../../lib/prefix.ts";
import type { Fib } from "../../nest/fib.ts";
import { originOf } from "../../nest/origin.ts";
import type { NodeId, RouteId } from "../../nest/route.ts";
import type { Rtable } from "../../nest/rtable.ts";
import type { RouteSpec } from "./config.ts";

export class FollowedAddresses {
  readonly count: number;
  /** Index of the spec by position. */
  readonly spec: Uint32Array;
  private readonly words: Int32Array;
  private readonly answered: Int16Array;
  /** Changes told since the last follow(), as 256 × first position + length: of a net that flaps, the first counts. */
  private readonly told = new Set<number>();

  constructor(specs: readonly RouteSpec[]) {
    const found: { readonly address: IpAddress; readonly spec: number }[] = [];
    specs.forEach(({ recursive }, spec) => {
      if (recursive !== null) found.push({ address: recursive, spec });
    });
    found.sort((a, b) => compare(a.address, b.address));
    this.count = found.length;
    this.spec = new Uint32Array(found.length);
    this.words = new Int32Array(4 * found.length);
    this.answered = new Int16Array(found.length).fill(-1);
    found.forEach(({ address, spec }, position) => {
      this.spec[position] = spec;
      this.words.set([address.w0, address.w1, address.w2, address.w3], 4 * position);
    });
  }

  /**
   * Calls `visit` with each spec that may go another way now that the routes of this net changed; not with those it
   * was called with for this net before, and for which follow() was not asked since.
   */
  coveredBy(fib: Fib, node: NodeId, visit: (spec: number) => void): void {
    const w0 = fib.word(node, 0);
    const w1 = fib.word(node, 1);
    const w2 = fib.word(node, 2);
    const w3 = fib.word(node, 3);
    const length = fib.length(node);
    let at = this.lowerBound(w0, w1, w2, w3);
    if (at === this.count || !this.within(at, w0, w1, w2, w3, length)) return;
    const change = at * 256 + length;
    if (this.told.has(change)) return;
    this.told.add(change);
    for (; at < this.count && this.within(at, w0, w1, w2, w3, length); at++) {
      if (this.answered[at]! <= length) visit(this.spec[at]!);
    }
  }

  /**
   * The route that packets to the address at `position` take, or 0: longest match among the routes that are not
   * recursive themselves; of several such routes of a net the best. `recursive` names more routes that are not to
   * count. (Looking at best routes alone would let a recursive route that covers its own address, and is preferred
   * to the route it follows, come and go for ever.)
   */
  follow(position: number, table: Rtable, recursive: (route: RouteId) => boolean): RouteId {
    const { fib } = table;
    const at = 4 * position;
    this.told.clear();
    let limit: number = maxLength(fib.family);
    while (limit >= 0) {
      const node = fib.longestMatch(
        this.words[at]!,
        this.words[at + 1]!,
        this.words[at + 2]!,
        this.words[at + 3]!,
        limit,
      );
      if (node === 0) break;
      const length = fib.length(node);
      for (let route = table.best(node); route !== 0; route = table.nextRoute(route)) {
        if (isRecursive(table, route) || recursive(route)) continue;
        this.answered[position] = length;
        return route;
      }
      limit = length - 1;
    }
    this.answered[position] = -1;
    return 0;
  }

  /** The first position whose address is not below this one. */
  private lowerBound(w0: number, w1: number, w2: number, w3: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.isBelow(middle, w0, w1, w2, w3)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private isBelow(position: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const { words } = this;
    const at = 4 * position;
    if (words[at] !== w0) return words[at]! >>> 0 < w0 >>> 0;
    if (words[at + 1] !== w1) return words[at + 1]! >>> 0 < w1 >>> 0;
    if (words[at + 2] !== w2) return words[at + 2]! >>> 0 < w2 >>> 0;
    return words[at + 3]! >>> 0 < w3 >>> 0;
  }

  private within(position: number, w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    const { words } = this;
    const at = 4 * position;
    return (
      maskWord(words[at]!, 0, length) === w0 &&
      maskWord(words[at + 1]!, 1, length) === w1 &&
      maskWord(words[at + 2]!, 2, length) === w2 &&
      maskWord(words[at + 3]!, 3, length) === w3
    );
  }
}

/** Whether the route's nexthops were found by following another one. */
export function isRecursive(table: Rtable, route: RouteId): boolean {
  return originOf(table.origin(route)).recursive;
}

function compare(a: IpAddress, b: IpAddress): number {
  const words: readonly ("w0" | "w1" | "w2" | "w3")[] = ["w0", "w1", "w2", "w3"];
  for (const word of words) {
    if (a[word] !== b[word]) return (a[word] >>> 0) - (b[word] >>> 0);
  }
  return 0;
}
