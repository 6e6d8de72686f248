/**
 * A whole scan of a table that is as wanted: each message decoded, its net found, the route judged, and in the end every
 * net looked at for one that was missing. One route of a hundred is foreign.
 */

import { AttrsTable } from "../../src/nest/attrs.ts";
import { Channel } from "../../src/nest/channel.ts";
import { ACCEPT_ALL, REJECT_ALL } from "../../src/nest/filter.ts";
import { Rtable } from "../../src/nest/rtable.ts";
import { INSTALLED, VERDICT_MASK, VERDICT_SEEN } from "../../src/nest/sync-flags.ts";
import { Contest } from "../../src/proto/kernel/contest.ts";
import { Safety } from "../../src/proto/kernel/safety.ts";
import { RouteScan } from "../../src/proto/kernel/scan.ts";
import { SyncState } from "../../src/proto/kernel/sync-state.ts";
import { ownNumbers } from "../../src/proto/kernel/verdict.ts";
import { decodeRoute, RouteView } from "../../src/sysdep/linux/rtnetlink/route.ts";
import { FakeClock } from "../support/fake-clock.ts";
import {
  bytes,
  COUNT,
  encodedLength,
  GATEWAYS,
  internGateways,
  METRIC,
  NLMSG_HDRLEN,
  OWN_PROTOCOL,
  view,
  words,
} from "./messages.ts";

const FOREIGN = 3;
const RTM_PROTOCOL_AT = 5;

for (let at = 0, i = 0; at < encodedLength; at += view.getUint32(at, true), i++) {
  if (i % 100 === 0) bytes[at + NLMSG_HDRLEN + RTM_PROTOCOL_AT] = FOREIGN;
}

const clock = new FakeClock();
const attrs = new AttrsTable();
const table = new Rtable("t", 4, attrs, clock);
const channelOptions = { table, sourceType: "static", preference: 200, deviceName: () => "", clock } as const;
const source = new Channel({ ...channelOptions, name: "source", import: ACCEPT_ALL, export: REJECT_ALL });
const channel = new Channel({
  ...channelOptions,
  name: "kernel",
  import: ACCEPT_ALL,
  export: ACCEPT_ALL,
  sink: { exported: () => {} },
});
await source.up();
await channel.up();
const ids = internGateways(attrs);
for (const [i, w0] of words.entries()) {
  if (i % 100 === 0) continue;
  const id = ids[i % GATEWAYS]!;
  attrs.retain(id);
  source.importRoute(w0, 0, 0, 0, 24, id, METRIC);
}
const state = new SyncState({
  channel,
  contest: new Contest(clock, () => {}),
  safety: new Safety(4, { maxDeletePercent: 50, protect: [] }),
  defaultMetric: METRIC,
  ownProtocol: OWN_PROTOCOL,
  onFailure: () => {},
});
const { fib } = table;
for (let node = fib.next(0); node !== 0; node = fib.next(node)) fib.flags[node]! |= INSTALLED;

const routeView = new RouteView();

export function scanOurs(): number {
  const scan = new RouteScan({
    state,
    ownProtocol: OWN_PROTOCOL,
    ours: ownNumbers(OWN_PROTOCOL, []),
    aliens: null,
    learnKernel: false,
    unwelcome: () => false,
    drifted: () => {},
    stopped: () => false,
  });
  for (let at = 0; at < encodedLength; at += view.getUint32(at, true)) {
    const length = view.getUint32(at, true);
    if (decodeRoute(bytes, view, at + NLMSG_HDRLEN, at + length, routeView)) scan.route(routeView);
  }
  let right = 0;
  for (let node = fib.next(0); node !== 0; node = fib.next(node)) {
    if ((fib.flags[node]! & VERDICT_MASK) === VERDICT_SEEN) right++;
  }
  void scan.discard(clock);
  return right + scan.stale.size;
}

interface Wanted {
  readonly gateway: string;
  readonly metric: number;
  seen: boolean;
}

const wanted = new Map<string, Wanted>();
for (let i = 0; i < COUNT; i++) {
  if (i % 100 !== 0) {
    wanted.set(`${words[i]! >>> 0}/24`, {
      gateway: `10.0.0.${2 + (i % GATEWAYS)}`,
      metric: METRIC,
      seen: false,
    });
  }
}

export function scanReference(): number {
  for (const one of wanted.values()) one.seen = false;
  const stale: string[] = [];
  for (let at = 0; at < encodedLength; at += view.getUint32(at, true)) {
    const message = bytes.slice(at + NLMSG_HDRLEN, at + view.getUint32(at, true));
    const attributes = new Map<number, DataView>();
    for (let from = 12; from < message.length; ) {
      const header = new DataView(message.buffer, from, 4);
      const size = header.getUint16(0, true);
      attributes.set(header.getUint16(2, true), new DataView(message.buffer, from + 4, size - 4));
      from += (size + 3) & ~3;
    }
    if (message[RTM_PROTOCOL_AT] !== OWN_PROTOCOL) continue;
    const gateway = attributes.get(5);
    const prefix = `${attributes.get(1)?.getUint32(0) ?? 0}/${message[1]}`;
    const route = {
      gateway: gateway === undefined ? "" : [0, 1, 2, 3].map((k) => gateway.getUint8(k)).join("."),
      metric: attributes.get(6)?.getUint32(0, true) ?? 0,
    };
    const one = wanted.get(prefix);
    if (one === undefined) stale.push(prefix);
    else if (one.gateway === route.gateway && one.metric === route.metric) one.seen = true;
  }
  let right = 0;
  for (const one of wanted.values()) if (one.seen) right++;
  return right + stale.length;
}
