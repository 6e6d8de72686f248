/**
 * What follows the prefix on a line of a route file, in the words of `ip route`: "via 192.0.2.1 dev eth0 metric
 * 50". The slow half of the route-file parser: it runs once for each distinct tail. Words that `ip route show`
 * prints and that mean nothing in a configuration (proto, scope, pref, linkdown …) are accepted and ignored, so
 * that its output can be fed back.
 */

import type { Family, IpAddress } from "../lib/ip.ts";
import type { RouteType } from "../nest/route.ts";
import type { NexthopSpec, RouteSpec } from "../proto/static/config.ts";
import { type Complaint, isComplaint, readAddress, specFaults } from "./spec-rules.ts";
import { suggest } from "./suggest.ts";

/** A complaint about the word at `at`, an index into the tail; -1: about the route as a whole. */
export interface TailFault extends Complaint {
  readonly at: number;
}

interface Word {
  readonly text: string;
  readonly at: number;
}

type Draft = { -readonly [K in keyof NexthopSpec]: NexthopSpec[K] };

/** Words that take a value and are ignored with it. */
const IGNORED_WITH_VALUE = new Set(["proto", "protocol", "scope", "pref", "error", "nhid"]);

/** The family of a gateway, as `via` may say it. */
const FAMILY_WORDS: ReadonlyMap<string, Family> = new Map([
  ["inet", 4],
  ["inet6", 6],
]);

/** State that the kernel reports on a route or nexthop; "\" stands for a line break in `ip -o route`. */
const IGNORED = new Set(["linkdown", "dead", "offload", "trap", "rt_offload", "rt_trap", "unresolved", "\\"]);

const UNSUPPORTED = new Set(
  ["tos", "dsfield", "encap", "advmss", "window", "rtt", "rttvar", "reordering"]
    .concat(["ssthresh", "cwnd", "initcwnd", "initrwnd", "hoplimit", "rto_min", "features", "quickack"])
    .concat(["congctl", "fastopen_no_cookie", "realm", "realms", "from", "expires", "as"]),
);

const WORDS = ["via", "dev", "onlink", "metric", "src", "mtu", "nexthop", "weight", "recursive"].concat([
  "proto",
  "scope",
  "pref",
]);

/**
 * Reads a tail for a route of `type`. `text` is latin1, one character a byte; device names keep their bytes.
 * The first fault ends it.
 */
export function parseTail(text: string, type: RouteType, family: Family): RouteSpec | TailFault {
  const reader = new TailReader(text, type, family);
  try {
    return reader.read();
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.fault;
    throw thrown;
  }
}

/** Leaves the reader from any depth; never seen outside this file. */
class Refusal {
  readonly fault: TailFault;

  constructor(fault: TailFault) {
    this.fault = fault;
  }
}

class TailReader {
  private readonly words: readonly Word[];
  private readonly type: RouteType;
  private readonly family: Family;
  private next = 0;
  /** The route's own via, dev and onlink, or the nexthop being read. */
  private current: Draft = emptyNexthop();
  private readonly listed: Draft[] = [];
  private prefsrc: IpAddress | null = null;
  private mtu: number | null = null;
  private metric: number | null = null;
  private recursive: IpAddress | null = null;
  /** Where each field was written, by "nexthop index, field". */
  private readonly places = new Map<string, number>();

  constructor(text: string, type: RouteType, family: Family) {
    this.words = Array.from(text.matchAll(/[^ \t]+/g), (match) => ({ text: match[0], at: match.index }));
    this.type = type;
    this.family = family;
  }

  read(): RouteSpec {
    const single = this.current;
    for (let word = this.take(); word !== undefined; word = this.take()) this.readWord(word);
    const alone = single.via !== null || single.dev !== null || single.onlink;
    if (alone && this.listed.length > 0) {
      const at = this.placeOf(0, "nexthop");
      throw refusal(at, "The route has both a nexthop of its own and a list of nexthops");
    }
    let nexthops = this.listed.length > 0 ? this.listed : alone ? [single] : [];
    // The kernel shows IPv6 routes that discard as routes on lo.
    if (this.type !== "unicast" && nexthops.every((n) => n.via === null && n.dev === "lo")) nexthops = [];
    const { type, prefsrc, mtu, metric, recursive } = this;
    const spec: RouteSpec = { type, nexthops, prefsrc, mtu, metric, recursive };
    const fault = specFaults(spec, this.family)[0];
    if (fault === undefined) return spec;
    const listedAt = this.listed.length > 0 ? fault.nexthop : null;
    throw refusal(this.placeOf(listedAt, fault.field), fault.message, fault.hint);
  }

  private readWord(word: Word): void {
    const { text } = word;
    switch (text) {
      case "via":
        this.once(word, this.current.via);
        this.current.via = this.address(word);
        return;
      case "dev":
        this.once(word, this.current.dev);
        this.current.dev = this.value(word).text;
        return;
      case "onlink":
        this.mark("onlink", word);
        this.current.onlink = true;
        return;
      case "weight":
        if (this.listed.length === 0)
          throw refusal(word.at, "weight belongs to a nexthop", "nexthop via … weight …");
        this.current.weight = this.number(word, 1, 256);
        return;
      case "nexthop":
        this.current = emptyNexthop();
        this.listed.push(this.current);
        this.mark("nexthop", word);
        this.mark("route", word);
        return;
      case "metric":
        this.once(word, this.metric);
        this.metric = this.number(word, 1, 4294967295);
        return;
      case "src":
        this.once(word, this.prefsrc);
        this.prefsrc = this.address(word);
        this.markRoute("prefsrc");
        return;
      case "mtu":
        this.once(word, this.mtu);
        this.mtu = this.number(word, 68, 65520);
        this.markRoute("mtu");
        return;
      case "recursive":
        this.once(word, this.recursive);
        this.recursive = this.address(word);
        this.markRoute("recursive");
        return;
      default:
        this.readOther(word);
    }
  }

  private readOther({ text, at }: Word): void {
    if (IGNORED.has(text)) return;
    if (IGNORED_WITH_VALUE.has(text)) {
      this.value({ text, at });
      return;
    }
    if (UNSUPPORTED.has(text)) throw refusal(at, `${text} is not supported in this version`);
    if (text === "table")
      throw refusal(at, "A route cannot name a table: it belongs to that of its protocol");
    const near = suggest(text, WORDS);
    throw refusal(at, `Unknown word "${display(text)}"`, near === null ? null : `did you mean "${near}"?`);
  }

  private take(): Word | undefined {
    return this.words[this.next++];
  }

  /** The value of `word`; its place is remembered under the word's name. */
  private value(word: Word): Word {
    const value = this.take();
    if (value === undefined) throw refusal(word.at, `${word.text} needs a value`);
    this.mark(word.text, value);
    return value;
  }

  private address(word: Word): IpAddress {
    let value = this.value(word);
    const family = word.text === "via" ? FAMILY_WORDS.get(value.text) : undefined;
    if (family !== undefined) value = this.value(word);
    const read = readAddress(word.text, display(value.text));
    if (isComplaint(read)) throw refusal(value.at, read.message, read.hint);
    if (family === undefined || family === read.family) return read;
    throw refusal(
      value.at,
      `Gateway ${value.text} is IPv${read.family}, the word before it says IPv${family}`,
    );
  }

  private number(word: Word, from: number, to: number): number {
    const value = this.value(word);
    const number = /^[0-9]{1,10}$/.test(value.text) ? Number(value.text) : -1;
    if (number >= from && number <= to) return number;
    const range = `a whole number from ${from} to ${to}`;
    throw refusal(value.at, `${word.text} must be ${range}, not "${display(value.text)}"`);
  }

  private once(word: Word, earlier: unknown): void {
    if (earlier !== null) throw refusal(word.at, `${word.text} is there twice`);
  }

  private mark(field: string, word: Word): void {
    this.places.set(place(this.listed.length === 0 ? null : this.listed.length - 1, field), word.at);
  }

  /** Remembers the word taken last as the place of a field of the route, wherever it stands. */
  private markRoute(field: string): void {
    this.places.set(place(null, field), this.words[this.next - 1]!.at);
  }

  private placeOf(nexthop: number | null, field: string): number {
    return this.places.get(place(nexthop, field)) ?? this.places.get(place(nexthop, "route")) ?? -1;
  }
}

function place(nexthop: number | null, field: string): string {
  return nexthop === null ? field : `${nexthop}.${field}`;
}

function emptyNexthop(): Draft {
  return { via: null, dev: null, weight: 1, onlink: false };
}

function refusal(at: number, message: string, hint: string | null = null): Refusal {
  return new Refusal({ at, message, hint });
}

/** Bytes as a message shows them. */
function display(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}
