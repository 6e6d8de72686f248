/**
 * The hot paths, each beside the obvious way to do the same with objects and strings: what the ratio of their times
 * is made of. Each function does the same work every time and returns something that depends on all of it, so that
 * none of it can be left out; both of a pair return the same.
 */

import { RouteFileParser } from "../../src/config/route-file.ts";
import { formatPrefix } from "../../src/lib/prefix.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { ATTRS_NEXTHOPS, AttrsDraft } from "../../src/nest/attrs-draft.ts";
import { Fib } from "../../src/nest/fib.ts";
import { INSTALLED, VERDICT_CREATE, VERDICT_SEEN } from "../../src/nest/sync-flags.ts";
import { classify, ownNumbers, verdict } from "../../src/proto/kernel/verdict.ts";
import { RouteSet } from "../../src/proto/static/config.ts";
import { decodeRoute, RouteView } from "../../src/sysdep/linux/rtnetlink/route.ts";
import { draftOf } from "../support/draft.ts";
import { bytes, COUNT, encodedLength, GATEWAYS, NLMSG_HDRLEN, view, words } from "./messages.ts";
import { scanOurs, scanReference } from "./scan-pair.ts";

export interface Pair {
  readonly name: string;
  readonly ours: () => number;
  readonly reference: () => number;
}

function fibOurs(): number {
  const fib = new Fib(4);
  for (const w0 of words) fib.insert(w0, 0, 0, 0, 24);
  let found = 0;
  for (const w0 of words) if (fib.find(w0, 0, 0, 0, 24) !== 0) found++;
  for (let node = fib.next(0); node !== 0; node = fib.next(node)) fib.remove(node);
  return found + fib.size;
}

function fibReference(): number {
  const nets = new Map<string, { flags: number; head: number }>();
  for (const w0 of words) nets.set(`${w0}/24`, { flags: 0, head: 0 });
  let found = 0;
  for (const w0 of words) if (nets.has(`${w0}/24`)) found++;
  for (const key of [...nets.keys()]) nets.delete(key);
  return found + nets.size;
}

const draft = new AttrsDraft();

function makeDraft(i: number): void {
  draft.reset(1);
  draft.addNexthop(4, 0x0a000002 + (i % GATEWAYS), 0, 0, 0, 3, 1, 0, 0);
  draft.finish();
}

function attrsOurs(): number {
  const table = new AttrsTable();
  let sum = 0;
  for (let i = 0; i < COUNT; i++) {
    makeDraft(i);
    sum += table.intern(draft);
  }
  return sum;
}

function attrsReference(): number {
  const ids = new Map<string, number>();
  let sum = 0;
  for (let i = 0; i < COUNT; i++) {
    const nexthop = { family: 4, gateway: [0x0a000002 + (i % GATEWAYS), 0, 0, 0], device: 3, weight: 1 };
    const key = JSON.stringify({ type: 1, nexthops: [nexthop] });
    const id = ids.get(key) ?? ids.size + 1;
    ids.set(key, id);
    sum += id;
  }
  return sum;
}

const routeView = new RouteView();

function decodeOurs(): number {
  let sum = 0;
  for (let at = 0; at < encodedLength; at += view.getUint32(at, true)) {
    const length = view.getUint32(at, true);
    if (!decodeRoute(bytes, view, at + NLMSG_HDRLEN, at + length, routeView)) return -1;
    sum += routeView.w0 + routeView.metric + routeView.attrs.words[ATTRS_NEXTHOPS]!;
  }
  return sum;
}

function decodeReference(): number {
  let sum = 0;
  for (let at = 0; at < encodedLength; at += view.getUint32(at, true)) {
    const message = bytes.slice(at + NLMSG_HDRLEN, at + view.getUint32(at, true));
    const attributes = new Map<number, DataView>();
    for (let from = 12; from < message.length; ) {
      const header = new DataView(message.buffer, from, 4);
      const size = header.getUint16(0, true);
      attributes.set(header.getUint16(2, true), new DataView(message.buffer, from + 4, size - 4));
      from += (size + 3) & ~3;
    }
    const route = {
      w0: attributes.get(1)?.getInt32(0) ?? 0,
      metric: attributes.get(6)?.getUint32(0, true) ?? 0,
      nexthops: attributes.has(5) ? [{ gateway: attributes.get(5), device: attributes.get(4) }] : [],
    };
    sum += route.w0 + route.metric + route.nexthops.length;
  }
  return sum;
}

const wantedTable = new AttrsTable();
const wantedId = wantedTable.intern(draftOf({ nexthops: [{ via: "10.0.0.2", device: 3 }] }));
const shown = draftOf({ nexthops: [{ via: "10.0.0.2", device: 3 }], scope: 0 });
const other = draftOf({ nexthops: [{ via: "10.0.0.3", device: 3 }], scope: 0 });
const ours = ownNumbers(99, []);

/** Every fourth route is foreign, every fifth of the others differs. */
function verdictOurs(): number {
  let seen = 0;
  for (let i = 0; i < COUNT; i++) {
    const routeClass = classify(i % 4 === 0 ? 3 : 99, 1, 0, 254, 0, ours);
    const equal = wantedTable.matches(wantedId, i % 5 === 0 ? other : shown);
    const flags = i % 7 === 0 ? INSTALLED | VERDICT_SEEN : INSTALLED | VERDICT_CREATE;
    if (verdict(routeClass, flags, true, equal) === "seen") seen++;
  }
  return seen;
}

function verdictReference(): number {
  let seen = 0;
  const wanted = JSON.stringify(wantedTable.describe(wantedId, 4).nexthops);
  const texts = [other, shown].map((one) => wantedTable.describeDraft(one, 4).nexthops);
  for (let i = 0; i < COUNT; i++) {
    const route = { protocol: i % 4 === 0 ? 3 : 99, nexthops: texts[i % 5 === 0 ? 0 : 1]! };
    const state = new Set(i % 7 === 0 ? ["installed", "judged"] : ["installed"]);
    const equal = JSON.stringify(route.nexthops) === wanted;
    if (route.protocol === 99 && state.has("installed") && !state.has("judged") && equal) seen++;
  }
  return seen;
}

const fileText = words
  .map((w0, i) => `${formatPrefix(4, w0, 0, 0, 0, 24)} via 10.0.0.${2 + (i % GATEWAYS)} dev eth0\n`)
  .join("");
const fileBytes = new TextEncoder().encode(fileText);

function fileOurs(): number {
  const parser = new RouteFileParser(new RouteSet(4));
  parser.begin("f");
  parser.parse(fileBytes, 0, fileBytes.length);
  parser.end();
  return parser.set.count + parser.problems.length;
}

function fileReference(): number {
  const routes = new Map<string, { via: string | undefined; dev: string | undefined }>();
  for (const line of new TextDecoder().decode(fileBytes).split("\n")) {
    const [prefix = "", , via, , dev] = line.split(" ");
    const [address = "", length] = prefix.split("/");
    const octets = address.split(".").map(Number);
    if (octets.length !== 4 || octets.some((octet) => !(octet >= 0 && octet <= 255))) continue;
    routes.set(`${octets.join(".")}/${length}`, { via, dev });
  }
  return routes.size;
}

export const PAIRS: readonly Pair[] = [
  { name: "fib", ours: fibOurs, reference: fibReference },
  { name: "attrs", ours: attrsOurs, reference: attrsReference },
  { name: "codec", ours: decodeOurs, reference: decodeReference },
  { name: "verdict", ours: verdictOurs, reference: verdictReference },
  { name: "scan", ours: scanOurs, reference: scanReference },
  { name: "route-file", ours: fileOurs, reference: fileReference },
];
