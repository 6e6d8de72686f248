/**
 * HOT PATH. Reads route files: one route a line in the words of `ip route`, "#" starts a comment. A million
 * lines take a few tenths of a second because a good line never becomes a string: the prefix is read from its
 * bytes, and what follows is looked up by its bytes among the tails met before. Only a new tail, a rare spelling
 * of a prefix or a mistake takes the slow way, which is also where every message comes from.
 */

import type { Clock } from "../lib/clock.ts";
import type { Family } from "../lib/ip.ts";
import { ROUTE_TYPE_NUMBERS, type RouteType, routeTypeName } from "../nest/route.ts";
import type { RouteSet } from "../proto/static/config.ts";
import { PrefixBytes } from "./prefix-bytes.ts";
import { fileProblem, type Problem } from "./problems.ts";
import { parseTail, type TailFault } from "./route-tail.ts";
import { type Complaint, isComplaint, readPrefix } from "./spec-rules.ts";
import { suggest } from "./suggest.ts";
import { BAD, TailCache } from "./tail-cache.ts";

/** Problems written out for one file; the rest is counted. */
export const PROBLEMS_PER_FILE = 20;

/** Room for more routes than this is not made on the word of a few thousand lines. */
const RESERVE_LIMIT = 1 << 22;

/** The lines to come may be shorter than the first ones. */
const RESERVE_MARGIN = 17 / 16;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const HASH = 0x23;
const COLON = 0x3a;

/** Types that `ip route` knows and a static route cannot have. */
const FOREIGN_TYPES = new Set(["local", "broadcast", "multicast", "anycast", "nat"]);

const FIRST_WORDS = [...Object.keys(ROUTE_TYPE_NUMBERS), "default"];

/** Reads the routes of one static protocol from any number of files into one RouteSet. */
export class RouteFileParser {
  readonly set: RouteSet;
  /** Of all files so far, in the order of their lines. */
  readonly problems: Problem[] = [];
  private readonly family: Family;
  private readonly tails = new TailCache();
  private readonly prefix = new PrefixBytes();
  private file = "";
  private line = 0;
  private faults = 0;
  /** The bytes of all files; 0: unknown, or allowed for. */
  private expected = 0;
  /** Of these so many are parsed, and the set had so many routes before them. */
  private parsed = 0;
  private countBefore = 0;
  /** Of the line in hand, for messages: where it begins and where its bytes are. */
  private bytes: Uint8Array = new Uint8Array(0);
  private lineStart = 0;
  private prefixStart = 0;

  constructor(set: RouteSet) {
    this.set = set;
    this.family = set.family;
  }

  /** Says how many bytes the files have in all, so that there is room for their routes before it is needed. */
  expect(bytes: number): void {
    this.expected = bytes;
    this.parsed = 0;
    this.countBefore = this.set.count;
  }

  /** Makes that room, once, when some of the bytes are parsed: by what the lines were like so far. */
  async makeRoom(clock: Pick<Clock, "now" | "yield">): Promise<void> {
    if (this.expected === 0 || this.parsed === 0) return;
    const { set, countBefore } = this;
    const routes = ((set.count - countBefore) / this.parsed) * this.expected;
    this.expected = 0;
    await set.reserve(countBefore + Math.min(Math.ceil(routes * RESERVE_MARGIN), RESERVE_LIMIT), clock);
  }

  /** Starts a file. */
  begin(file: string): void {
    this.file = file;
    this.line = 0;
    this.faults = 0;
    this.set.from(file);
  }

  /** Ends the file: says how many problems were left out. */
  end(): void {
    const more = this.faults - PROBLEMS_PER_FILE;
    if (more > 0)
      this.problems.push(fileProblem(this.file, `… and ${more} more problem${more === 1 ? "" : "s"}`));
  }

  /** Reads whole lines: bytes[to - 1] must be a newline. */
  parse(bytes: Uint8Array, from: number, to: number): void {
    this.bytes = bytes;
    this.parsed += to - from;
    for (let at = from; at < to; ) {
      this.line++;
      this.lineStart = at;
      at = this.parseLine(bytes, at);
    }
  }

  /** Returns the index after the line's newline. */
  private parseLine(bytes: Uint8Array, from: number): number {
    let at = from;
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    const first = bytes[at]!;
    if (first === NEWLINE || first === HASH || first === RETURN) return afterNewline(bytes, at);
    let kind = 1;
    if (isLetter(first) && !isAddressWord(bytes, at)) {
      const end = wordEnd(bytes, at);
      const word = latin1(bytes, at, end);
      if (word !== "default") {
        const type = Object.hasOwn(ROUTE_TYPE_NUMBERS, word) ? (word as RouteType) : null;
        if (type === null) return this.refuse(at, at, firstWordComplaint(word));
        kind = ROUTE_TYPE_NUMBERS[type];
        at = end;
        while (bytes[at] === SPACE || bytes[at] === TAB) at++;
      }
    }
    const { prefix } = this;
    this.prefixStart = at;
    let after = this.family === 4 ? prefix.read4(bytes, at) : prefix.read6(bytes, at);
    if (after < 0 || !endsWord(bytes[after]!)) {
      after = this.readPrefixSlowly(bytes, at);
      if (after < 0) return afterNewline(bytes, at);
    }
    // One pass finds where the tail ends (before a comment and trailing spaces) and hashes it.
    let tail = after;
    while (bytes[tail] === SPACE || bytes[tail] === TAB) tail++;
    let tailEnd = tail;
    let hash = kind;
    at = tail;
    for (let c = bytes[at]!; c !== NEWLINE; c = bytes[++at]!) {
      if (c === SPACE || c === TAB || c === RETURN) continue;
      if (c === HASH && (at === tail || bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) break;
      hash = Math.imul(hash ^ c, 0x01000193);
      tailEnd = at + 1;
    }
    hash ^= hash >>> 15;
    const entry = this.tails.find(bytes, tail, tailEnd, kind, hash);
    const spec = entry < 0 ? this.newTail(bytes, tail, tailEnd, kind, hash) : this.tails.specOf(entry);
    if (spec === BAD) {
      if (entry >= 0) this.reportTail(bytes, tail, tailEnd, kind);
    } else {
      const { w0, w1, w2, w3, length } = prefix;
      const index = this.set.add(w0, w1, w2, w3, length, spec, this.line);
      if (index < 0) this.reportTwin(-index - 1);
    }
    return afterNewline(bytes, at);
  }

  private newTail(bytes: Uint8Array, from: number, to: number, kind: number, hash: number): number {
    const parsed = parseTail(latin1(bytes, from, to), routeTypeName(kind)!, this.family);
    const spec = "at" in parsed ? BAD : this.set.internSpec(parsed);
    this.tails.add(bytes, from, to, kind, hash, spec);
    if ("at" in parsed) this.refuseTail(parsed, from);
    return spec;
  }

  private reportTail(bytes: Uint8Array, from: number, to: number, kind: number): void {
    if (this.faults >= PROBLEMS_PER_FILE) {
      this.faults++;
      return;
    }
    const parsed = parseTail(latin1(bytes, from, to), routeTypeName(kind)!, this.family);
    if ("at" in parsed) this.refuseTail(parsed, from);
  }

  private refuseTail(fault: TailFault, tail: number): void {
    this.refuse(fault.at < 0 ? this.prefixStart : tail + fault.at, tail, fault);
  }

  private reportTwin(earlier: number): void {
    const at = this.prefixStart;
    const message = `This prefix is there already, at ${this.set.where(earlier)}`;
    this.refuse(at, at, { message, hint: "several gateways for one prefix are nexthops of one route" });
  }

  /** Reads what read4() and read6() leave; -1 when it is no prefix, which is then reported. */
  private readPrefixSlowly(bytes: Uint8Array, at: number): number {
    const end = wordEnd(bytes, at);
    if (end === at) {
      this.refuse(at, at, { message: "The prefix is missing", hint: null });
      return -1;
    }
    const read = readPrefix(Buffer.from(bytes.subarray(at, end)).toString("utf8"), this.family, true);
    if (isComplaint(read)) {
      this.refuse(at, at, read);
      return -1;
    }
    this.prefix.w0 = read.w0;
    this.prefix.w1 = read.w1;
    this.prefix.w2 = read.w2;
    this.prefix.w3 = read.w3;
    this.prefix.length = read.length;
    return end;
  }

  /** Reports the line in hand at byte `at`, and returns the index after it. */
  private refuse(at: number, within: number, { message, hint }: Complaint): number {
    const { bytes, lineStart } = this;
    const next = afterNewline(bytes, within);
    if (++this.faults > PROBLEMS_PER_FILE) return next;
    let end = next - 1;
    if (end > lineStart && bytes[end - 1] === RETURN) end--;
    const before = Buffer.from(bytes.subarray(lineStart, at)).toString("utf8");
    this.problems.push({
      file: this.file,
      line: this.line,
      column: Array.from(before).length + 1,
      message,
      hint,
      sourceLine: Buffer.from(bytes.subarray(lineStart, end)).toString("utf8"),
    });
    return next;
  }
}

function firstWordComplaint(word: string): Complaint {
  if (word === "nexthop") {
    return {
      message: "A nexthop stands on the line of its route",
      hint: "`ip -o route show` prints one route a line",
    };
  }
  if (FOREIGN_TYPES.has(word)) return { message: `A static route cannot be of type ${word}`, hint: null };
  const text = Buffer.from(word, "latin1").toString("utf8");
  const near = suggest(word, FIRST_WORDS);
  const hint = near === null ? null : `did you mean "${near}"?`;
  return {
    message: `A line begins with a prefix, default or a route type, not "${text.slice(0, 60)}"`,
    hint,
  };
}

function afterNewline(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] !== NEWLINE) at++;
  return at + 1;
}

function wordEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  while (!endsWord(bytes[at]!)) at++;
  return at;
}

function endsWord(c: number): boolean {
  return c === SPACE || c === NEWLINE || c === TAB || c === RETURN;
}

function isLetter(c: number): boolean {
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** "dead:beef::/32" begins with a letter too: an address has a colon. */
function isAddressWord(bytes: Uint8Array, from: number): boolean {
  for (let at = from; !endsWord(bytes[at]!); at++) if (bytes[at] === COLON) return true;
  return false;
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}
