/**
 * Notifications put aside while everything is read. What a monitor hands out is valid during the call only, and a
 * storm brings tens of thousands a second, so routes are copied as words into one array; no object is made of them.
 *
 *   words   per route: LENGTH of the entry · CHANGE · PORT · family w0 w1 w2 w3 length table protocol type scope tos
 *           metric rtmFlags · OBJECTLESS (opaqueBesidesObject) · the words of its attributes
 *           per anything else: LENGTH · -1 · room that stands for what it takes itself; it is the next of `others`
 *
 * Bounded: what does not fit is refused, and that is a loss.
 */

import { AttrsDraft } from "../nest/attrs-draft.ts";
import type { AddressInfo, KernelRoute, LinkInfo, MonitorSink, RouteChange } from "../sysdep/os.ts";

/** 16 MiB: some 150,000 routes. */
const QUEUE_LIMIT_WORDS = 4 << 20;
const FIRST_WORDS = 1 << 12;
const HEAD = 17;
/** What is not of a route is an object of some 250 bytes. */
const OTHER_WORDS = 64;
const CHANGES: readonly RouteChange[] = ["new", "replaced", "gone"];

/** What is not of a route. */
export type OtherEvent =
  | { readonly kind: "link"; readonly link: LinkInfo }
  | { readonly kind: "link gone"; readonly ifindex: number }
  | { readonly kind: "nexthop gone" }
  | { readonly kind: "address" | "address gone"; readonly address: AddressInfo };

type Filled = { -readonly [K in keyof KernelRoute]: KernelRoute[K] };

export class EventQueue {
  private readonly limit: number;
  private words = new Int32Array(FIRST_WORDS);
  private end = 0;
  private begin = 0;
  private others: OtherEvent[] = [];
  /** So many of the others have been told. */
  private toldOthers = 0;
  private readonly draft = new AttrsDraft();
  private readonly shown: Filled = {
    family: 4,
    w0: 0,
    w1: 0,
    w2: 0,
    w3: 0,
    length: 0,
    table: 0,
    protocol: 0,
    type: 0,
    scope: 0,
    tos: 0,
    metric: 0,
    rtmFlags: 0,
    attrs: this.draft,
  };

  constructor(limitWords: number = QUEUE_LIMIT_WORDS) {
    this.limit = limitWords;
  }

  get isEmpty(): boolean {
    return this.begin === this.end;
  }

  /** Copies it. False: there is no room. */
  route(route: KernelRoute, change: RouteChange, port: number): boolean {
    const { attrs } = route;
    const length = HEAD + attrs.length;
    if (!this.reserve(length)) return false;
    const { words } = this;
    let at = this.end;
    words[at++] = length;
    words[at++] = CHANGES.indexOf(change);
    words[at++] = port;
    words[at++] = route.family;
    words[at++] = route.w0;
    words[at++] = route.w1;
    words[at++] = route.w2;
    words[at++] = route.w3;
    words[at++] = route.length;
    words[at++] = route.table;
    words[at++] = route.protocol;
    words[at++] = route.type;
    words[at++] = route.scope;
    words[at++] = route.tos;
    words[at++] = route.metric;
    words[at++] = route.rtmFlags;
    words[at++] = attrs.opaqueBesidesObject;
    for (let i = 0; i < attrs.length; i++) words[at++] = attrs.words[i]!;
    this.end = at;
    return true;
  }

  /** A link or an address. False: there is no room. */
  other(other: OtherEvent): boolean {
    if (!this.reserve(OTHER_WORDS)) return false;
    this.words[this.end] = OTHER_WORDS;
    this.words[this.end + 1] = -1;
    this.end += OTHER_WORDS;
    this.others.push(other);
    return true;
  }

  /** Tells the next `count` events, in order; what comes meanwhile goes behind them. */
  replay(sink: Omit<MonitorSink, "lost">, count: number): void {
    for (let told = 0; told < count && this.begin < this.end; told++) {
      const at = this.begin;
      this.begin += this.words[at]!;
      const change = this.words[at + 1]!;
      if (change < 0) tell(sink, this.takeOther());
      else sink.route(this.show(at), CHANGES[change]!, this.words[at + 2]! >>> 0);
    }
    if (this.begin === this.end) this.clear();
  }

  clear(): void {
    this.begin = 0;
    this.end = 0;
    this.others = [];
    this.toldOthers = 0;
    if (this.words.length > FIRST_WORDS) this.words = new Int32Array(FIRST_WORDS);
  }

  /** In a storm the queue may not be empty for long: what was told is let go by and by. */
  private takeOther(): OtherEvent {
    const other = this.others[this.toldOthers++]!;
    if (this.toldOthers * 2 > this.others.length) {
      this.others = this.others.slice(this.toldOthers);
      this.toldOthers = 0;
    }
    return other;
  }

  private show(at: number): KernelRoute {
    const { words, shown, draft } = this;
    let from = at + 3;
    shown.family = words[from++] === 4 ? 4 : 6;
    shown.w0 = words[from++]!;
    shown.w1 = words[from++]!;
    shown.w2 = words[from++]!;
    shown.w3 = words[from++]!;
    shown.length = words[from++]!;
    shown.table = words[from++]! >>> 0;
    shown.protocol = words[from++]!;
    shown.type = words[from++]!;
    shown.scope = words[from++]!;
    shown.tos = words[from++]!;
    shown.metric = words[from++]! >>> 0;
    shown.rtmFlags = words[from++]! >>> 0;
    draft.opaqueBesidesObject = words[from++]!;
    draft.length = words[at]! - HEAD;
    if (draft.words.length < draft.length) draft.words = new Int32Array(draft.length);
    draft.words.set(words.subarray(from, from + draft.length));
    return shown;
  }

  private reserve(length: number): boolean {
    if (this.end + length > this.words.length && this.begin > this.end >> 1) {
      this.words.copyWithin(0, this.begin, this.end);
      this.end -= this.begin;
      this.begin = 0;
    }
    const needed = this.end + length;
    if (needed <= this.words.length) return true;
    if (needed > this.limit) return false;
    const grown = new Int32Array(Math.min(this.limit, Math.max(needed, this.words.length * 2)));
    grown.set(this.words.subarray(0, this.end));
    this.words = grown;
    return true;
  }
}

function tell(sink: Omit<MonitorSink, "lost" | "route">, other: OtherEvent): void {
  switch (other.kind) {
    case "link":
      sink.link(other.link);
      return;
    case "link gone":
      sink.linkGone(other.ifindex);
      return;
    case "nexthop gone":
      sink.nexthopGone();
      return;
    case "address":
      sink.address(other.address);
      return;
    case "address gone":
      sink.addressGone(other.address);
  }
}
