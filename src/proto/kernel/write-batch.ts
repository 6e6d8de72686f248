/**
 * HOT PATH. One batch of route changes on its way to the OS, with the node each change belongs to. Deciding
 * which changes a node needs (planNode) stands here too, beside the arrays it fills.
 */

import type { Family } from "../../lib/ip.ts";
import type { AttrsTable } from "../../nest/attrs.ts";
import {
  ATTRS_HEADER_WORDS,
  ATTRS_NEXTHOPS,
  ATTRS_OPAQUE,
  ATTRS_PREFSRC,
  ATTRS_TYPE,
  NEXTHOP_DEVICE,
  NEXTHOP_ENCAP,
  NEXTHOP_FAMILY,
  NEXTHOP_WORDS,
} from "../../nest/attrs-draft.ts";
import type { AttrsId, NodeId } from "../../nest/route.ts";
import {
  DUPLICATE,
  INSTALLED,
  RIVAL,
  SENT,
  SYNCED,
  VERDICT_MASK,
  VERDICT_UPDATE,
} from "../../nest/sync-flags.ts";
import {
  ROUTE_ADD,
  ROUTE_DELETE,
  ROUTE_DELETE_EXACT,
  ROUTE_REPLACE,
  type RouteBatch,
} from "../../sysdep/os.ts";
import type { StaleRoutes } from "./stale-routes.ts";
import type { SyncState } from "./sync-state.ts";

/** The most changes one node needs at once: DELETE both of ours, ADD. */
export const MOST_PER_NODE = 3;

/** What planNode() returns for a route that would have to replace what must stay. */
export const KEPT = -1;

const RTN_UNICAST = 1;

export class WriteBatch {
  readonly routes: RouteBatch;
  /** Node of change i, 0 for a stale route. */
  readonly node: Int32Array;

  private readonly ownProtocol: number;

  constructor(capacity: number, family: Family, table: number, ownProtocol: number) {
    this.ownProtocol = ownProtocol;
    this.node = new Int32Array(capacity);
    this.routes = {
      capacity,
      family,
      table,
      count: 0,
      op: new Uint8Array(capacity),
      key: new Int32Array(4 * capacity),
      length: new Uint8Array(capacity),
      metric: new Uint32Array(capacity),
      attrs: new Int32Array(capacity),
      protocol: new Uint8Array(capacity),
      errno: new Int32Array(capacity),
      errorText: new Map(),
    };
  }

  get roomForNode(): boolean {
    return this.routes.count + MOST_PER_NODE <= this.routes.capacity;
  }

  clear(): void {
    this.routes.count = 0;
    this.routes.errorText.clear();
  }

  append(
    node: NodeId,
    op: number,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
    metric: number,
    attrs: AttrsId,
    protocol: number,
  ): void {
    const { routes } = this;
    const i = routes.count++;
    this.node[i] = node;
    routes.op[i] = op;
    routes.key[4 * i] = w0;
    routes.key[4 * i + 1] = w1;
    routes.key[4 * i + 2] = w2;
    routes.key[4 * i + 3] = w3;
    routes.length[i] = length;
    routes.metric[i] = metric;
    routes.attrs[i] = attrs;
    routes.protocol[i] = protocol;
    routes.errno[i] = 0;
  }

  private appendNode(
    state: SyncState,
    node: NodeId,
    op: number,
    metric: number,
    attrs: AttrsId,
    protocol: number = this.ownProtocol,
  ): void {
    const { fib } = state.table;
    this.append(
      node,
      op,
      fib.word(node, 0),
      fib.word(node, 1),
      fib.word(node, 2),
      fib.word(node, 3),
      fib.length(node),
      metric,
      attrs,
      protocol,
    );
  }

  /**
   * Appends the changes that bring the kernel from what was sent to what is wanted; `installable` is false when
   * the wanted route has a device that does not exist, which counts as no route. Returns how many it appended. Where
   * safety.protect holds nothing is deleted, and KEPT says that what is wanted cannot replace what stands there.
   */
  planNode(state: SyncState, node: NodeId, installable: boolean): number {
    const before = this.routes.count;
    const flags = state.table.fib.flags[node]!;
    const sent = (flags & SENT) !== 0;
    if ((flags & INSTALLED) === 0 || !installable) {
      if (sent && !state.safety.protectsNode(state.table.fib, node)) this.deleteSent(state, node, flags);
      return this.routes.count - before;
    }
    const attrs = state.wantedAttrs(node);
    const metric = state.wantedMetric(node);
    if (!sent || state.sentMetric[node] !== metric) {
      this.appendNode(state, node, ROUTE_ADD, metric, attrs);
    } else if ((flags & SYNCED) !== 0 && state.sentAttrs[node] === attrs) {
      return 0;
    } else if (state.safety.protectsNode(state.table.fib, node)) {
      return KEPT;
    } else if (!swappable(state, flags, state.sentAttrs[node]!, attrs)) {
      this.deleteSent(state, node, flags);
      this.appendNode(state, node, ROUTE_ADD, metric, attrs);
    } else {
      // With two of ours at the key, the first goes and REPLACE overwrites the one that is left.
      if ((flags & DUPLICATE) !== 0) this.appendSent(state, node);
      this.appendNode(state, node, ROUTE_REPLACE, metric, attrs);
    }
    return this.routes.count - before;
  }

  /**
   * Takes the oldest of `from`, a deletion by exact key, unless that is protected. Unless `always`, not of a key that
   * came to be wanted: then it returns false, and what stands there has to be looked at again.
   */
  takeStale(state: SyncState, from: StaleRoutes, always: boolean): boolean {
    const i = from.peek();
    const w0 = from.word(i, 0);
    const w1 = from.word(i, 1);
    const w2 = from.word(i, 2);
    const w3 = from.word(i, 3);
    const length = from.length(i);
    const node = always ? 0 : state.table.fib.find(w0, w1, w2, w3, length);
    const wanted =
      node !== 0 &&
      (state.table.fib.flags[node]! & INSTALLED) !== 0 &&
      state.wantedMetric(node) === from.metric(i);
    if (!wanted && !state.safety.protects(w0, w1, w2, w3, length)) {
      state.attrs.retain(from.attrs(i));
      this.append(
        0,
        always ? ROUTE_DELETE_EXACT : ROUTE_DELETE,
        w0,
        w1,
        w2,
        w3,
        length,
        from.metric(i),
        from.attrs(i),
        from.protocol(i),
      );
    }
    from.drop();
    return !wanted;
  }

  private deleteSent(state: SyncState, node: NodeId, flags: number): void {
    this.appendSent(state, node);
    if ((flags & DUPLICATE) !== 0) this.appendSent(state, node);
  }

  private appendSent(state: SyncState, node: NodeId): void {
    this.appendNode(
      state,
      node,
      ROUTE_DELETE,
      state.sentMetric[node]!,
      state.sentAttrs[node]!,
      state.sentProtocol(node),
    );
  }
}

/**
 * Whether one REPLACE turns `from` into `to` and harms nobody. It overwrites the first route of the key, so our
 * last view must be that this is ours: we are in sync, or the last scan showed ours there, different, with no
 * foreign one before it. In IPv6 it works only between gateway routes, and takes all siblings with it, foreign
 * ones too: there it needs a route that nobody has touched.
 */
function swappable(state: SyncState, flags: number, from: AttrsId, to: AttrsId): boolean {
  if (state.unheard || (flags & RIVAL) !== 0) return false;
  const synced = (flags & SYNCED) !== 0;
  if (state.table.family === 4) return synced || (flags & VERDICT_MASK) === VERDICT_UPDATE;
  return synced && hasOnlyGateways(state.attrs, from) && hasOnlyGateways(state.attrs, to);
}

/** True for a unicast route all of whose nexthops have a gateway. */
export function hasOnlyGateways(attrs: AttrsTable, id: AttrsId): boolean {
  const { words } = attrs;
  const at = attrs.offset(id);
  if (words[at + ATTRS_TYPE] !== RTN_UNICAST) return false;
  const count = words[at + ATTRS_NEXTHOPS]!;
  for (let k = 0; k < count; k++) {
    if (words[at + ATTRS_HEADER_WORDS + k * NEXTHOP_WORDS + NEXTHOP_FAMILY] === 0) return false;
  }
  return count > 0;
}

/** True when any nexthop has a gateway. */
export function hasGateway(attrs: AttrsTable, id: AttrsId): boolean {
  const { words } = attrs;
  const at = attrs.offset(id);
  const count = words[at + ATTRS_NEXTHOPS]!;
  for (let k = 0; k < count; k++) {
    if (words[at + ATTRS_HEADER_WORDS + k * NEXTHOP_WORDS + NEXTHOP_FAMILY] !== 0) return true;
  }
  return false;
}

/** Whether krtd understands all of it: what it does not would be left out, and make another route of it. */
export function isInstallable(attrs: AttrsTable, id: AttrsId): boolean {
  const { words } = attrs;
  const at = attrs.offset(id);
  const count = words[at + ATTRS_NEXTHOPS]!;
  for (let k = 0; k < count; k++) {
    if (words[at + ATTRS_HEADER_WORDS + k * NEXTHOP_WORDS + NEXTHOP_ENCAP] !== 0) return false;
  }
  return words[at + ATTRS_OPAQUE] === 0;
}

/** The first device of the attributes that does not exist (a negative id), or 0 when all do. */
export function missingDevice(attrs: AttrsTable, id: AttrsId): number {
  const { words } = attrs;
  const at = attrs.offset(id);
  const count = words[at + ATTRS_NEXTHOPS]!;
  for (let k = 0; k < count; k++) {
    const device = words[at + ATTRS_HEADER_WORDS + k * NEXTHOP_WORDS + NEXTHOP_DEVICE]!;
    if (device < 0) return device;
  }
  return 0;
}

export function hasPrefsrc(attrs: AttrsTable, id: AttrsId): boolean {
  const { words } = attrs;
  const at = attrs.offset(id) + ATTRS_PREFSRC;
  return (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) !== 0;
}
