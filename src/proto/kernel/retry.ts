/**
 * What a failed write means, and who wakes the route again. Every errno belongs to exactly one class:
 *
 *   wait       the nexthop or device is not usable now: an interface, address or route event, or the next scan
 *   refused    the request may be wrong, or only wrong now (EINVAL for a gateway that is a local address today):
 *              tried again as those that wait, but shown as failed
 *   rival      somebody else holds our key: the scan that no longer sees the rival
 *   load       the kernel was busy or out of memory: a timer with backoff
 *   permanent  the request is wrong: only a changed route
 *   fatal      no privilege, by CAP_NET_ADMIN or by somebody's rules: as load, until krtd knows that nothing will ever work
 *
 * Waiting routes stand in groups by their attributes, because the kernel's answer depends on those and not on
 * the prefix: one route of a group is tried, and only when it succeeds do the others follow. A million routes
 * behind a dead gateway cost one write per scan.
 */

import {
  EACCES,
  EAGAIN,
  EBUSY,
  EEXIST,
  EHOSTUNREACH,
  EINVAL,
  ENETDOWN,
  ENETUNREACH,
  ENOBUFS,
  ENODEV,
  ENOMEM,
  EPERM,
} from "../../lib/errno.ts";
import type { AttrsTable } from "../../nest/attrs.ts";
import type { AttrsId, NodeId } from "../../nest/route.ts";

export type RetryClass = "wait" | "refused" | "rival" | "load" | "permanent" | "fatal";

/** What a request had that the kernel may refuse now and take later, with EINVAL in both cases. */
export interface RequestHints {
  readonly prefsrc: boolean;
  readonly gateway: boolean;
}

/**
 * The class of a failed write. EACCES is no lack of privilege: it is IPv6 switched off on the device, or a rule
 * that prohibits the gateway.
 */
export function retryClass(errno: number, has: RequestHints): RetryClass {
  switch (errno) {
    case EACCES:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENODEV:
      return "wait";
    case EEXIST:
      return "rival";
    case ENOMEM:
    case ENOBUFS:
    case EBUSY:
    case EAGAIN:
      return "load";
    case EPERM:
      return "fatal";
    case EINVAL:
      if (has.prefsrc) return "wait";
      return has.gateway ? "refused" : "permanent";
    default:
      return "permanent";
  }
}

/** Whether routes of this class stand in the groups of WaitingRoutes. */
export function isProbed(retry: RetryClass | undefined): boolean {
  return retry === "wait" || retry === "refused";
}

/** Whether a timer tries routes of this class again. */
export function isTimed(retry: RetryClass | undefined): boolean {
  return retry === "load" || retry === "fatal";
}

/** How a route that fails so is shown: it waits for an event, for the kernel to have room, or for a person. */
export function failureState(retry: RetryClass): "waiting" | "pending" | "failed" {
  if (retry === "wait") return "waiting";
  return retry === "load" ? "pending" : "failed";
}

/** One way in which writes fail here; many routes share it. */
export interface Failure {
  readonly errno: number;
  readonly message: string;
  readonly class: RetryClass;
}

/** Interns failures, so that a route's failure is a small number. 0 = none. */
export class Failures {
  private readonly list: (Failure | null)[] = [null];
  private readonly ids = new Map<string, number>();

  /** Beyond 65,535 different failures the text is dropped: the column has 16 bits. */
  intern(failure: Failure): number {
    const key = `${failure.class} ${failure.errno} ${failure.message}`;
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    if (this.list.length > 0xff00 && failure.message !== "") return this.intern({ ...failure, message: "" });
    const id = this.list.push(failure) - 1;
    this.ids.set(key, id);
    return id;
  }

  get(id: number): Failure | null {
    return this.list[id] ?? null;
  }
}

/** Groups whose gateway works again; their members follow slice by slice. There may be as many groups as routes. */
export class ReleasedGroups {
  private readonly attrs: Pick<AttrsTable, "retain" | "release">;
  private groups: { readonly attrs: AttrsId; readonly nodes: readonly NodeId[]; at: number }[] = [];
  /** Index of the first group with members still to follow. */
  private first = 0;
  private members = 0;

  constructor(attrs: Pick<AttrsTable, "retain" | "release">) {
    this.attrs = attrs;
  }

  /** Members still to follow. */
  get size(): number {
    return this.members;
  }

  add(attrs: AttrsId, nodes: readonly NodeId[]): void {
    if (nodes.length === 0) return;
    this.attrs.retain(attrs);
    this.groups.push({ attrs, nodes, at: 0 });
    this.members += nodes.length;
  }

  /** Gives the next member to `follow`, with the attributes it waited with. Only while size > 0. */
  take(follow: (node: NodeId, attrs: AttrsId) => void): void {
    const group = this.groups[this.first]!;
    this.members--;
    follow(group.nodes[group.at++]!, group.attrs);
    if (group.at < group.nodes.length) return;
    this.attrs.release(group.attrs);
    if (++this.first * 2 < this.groups.length) return;
    this.groups = this.groups.slice(this.first);
    this.first = 0;
  }

  clear(): void {
    for (const { attrs } of this.groups.slice(this.first)) this.attrs.release(attrs);
    this.groups = [];
    this.first = 0;
    this.members = 0;
  }
}

interface Group {
  readonly serial: number;
  failure: number;
  readonly nodes: NodeId[];
  /** With so many listed it is time to leave out those that have moved on. */
  limit: number;
  /** The one that was given out last for a try, 0: none. */
  tried: NodeId;
}

const SMALLEST_LIMIT = 1024;

type IsMember = (node: NodeId, attrs: AttrsId) => boolean;
type TryMember = (node: NodeId, attrs: AttrsId) => void;

/** Routes that wait, by attributes. Members are checked by the caller when they are woken. */
export class WaitingRoutes {
  private readonly groups = new Map<AttrsId, Group>();
  private readonly attrs: Pick<AttrsTable, "retain" | "release">;
  /** By node: serial of the group it was listed in last, so that it is listed once. */
  private listedIn = new Uint32Array(1024);
  private lastSerial = 0;

  /** A group holds a reference to its attributes: a reused id must not meet the group of its former life. */
  constructor(attrs: Pick<AttrsTable, "retain" | "release">) {
    this.attrs = attrs;
  }

  get groupCount(): number {
    return this.groups.size;
  }

  /**
   * The failure that routes with these attributes wait for, or 0: it makes no sense to try another now. While the only
   * one of a group is being tried nothing is known: it may come to want something else before its turn.
   */
  failureOf(attrs: AttrsId): number {
    const group = this.groups.get(attrs);
    return group === undefined || group.nodes.length === 0 ? 0 : group.failure;
  }

  add(node: NodeId, attrs: AttrsId, failure: number): void {
    let group = this.groups.get(attrs);
    if (group === undefined) {
      this.attrs.retain(attrs);
      group = { serial: ++this.lastSerial, failure, nodes: [], limit: SMALLEST_LIMIT, tried: 0 };
      this.groups.set(attrs, group);
    }
    group.failure = failure;
    if (node >= this.listedIn.length) this.grow(node);
    if (this.listedIn[node] === group.serial) return;
    if (group.nodes.length >= group.limit) this.tidy(group);
    this.listedIn[node] = group.serial;
    group.nodes.push(node);
  }

  /** Takes the whole group out, as one of it has just been installed or the attributes are gone. */
  release(attrs: AttrsId): readonly NodeId[] {
    const nodes = this.groups.get(attrs)?.nodes ?? [];
    this.drop(attrs);
    return nodes;
  }

  /**
   * Takes one route out of every group for a try. `isWaiting` tells whether a member still waits with these
   * attributes; groups without any such member vanish. `isDue`: that one is yet to be sent for its group, so
   * another would say no more.
   */
  probe(isWaiting: IsMember, tryNow: TryMember, isDue: IsMember = () => false): void {
    for (const [attrs, { tried }] of [...this.groups]) {
      if (tried === 0 || !isDue(tried, attrs)) this.probeOne(attrs, isWaiting, tryNow);
    }
  }

  /** As probe(), of one group, if there is such a group. */
  probeOne(attrs: AttrsId, isWaiting: IsMember, tryNow: TryMember): void {
    const group = this.groups.get(attrs);
    if (group === undefined) return;
    let node = this.take(group);
    while (node !== undefined && !isWaiting(node, attrs)) node = this.take(group);
    group.tried = node ?? 0;
    if (node === undefined) this.drop(attrs);
    else tryNow(node, attrs);
  }

  clear(): void {
    for (const attrs of [...this.groups.keys()]) this.drop(attrs);
  }

  private take(group: Group): NodeId | undefined {
    const node = group.nodes.pop();
    if (node !== undefined && this.listedIn[node] === group.serial) this.listedIn[node] = 0;
    return node;
  }

  /** Routes that go to and fro between groups leave an entry in each, every time. */
  private tidy(group: Group): void {
    const { nodes, serial } = group;
    const { listedIn } = this;
    let kept = 0;
    for (const node of nodes) {
      if (listedIn[node] !== serial) continue;
      listedIn[node] = 0;
      nodes[kept++] = node;
    }
    nodes.length = kept;
    for (const node of nodes) listedIn[node] = serial;
    group.limit = Math.max(SMALLEST_LIMIT, 2 * kept);
  }

  private grow(node: NodeId): void {
    const grown = new Uint32Array(Math.max(node + 1, this.listedIn.length * 2));
    grown.set(this.listedIn);
    this.listedIn = grown;
  }

  private drop(attrs: AttrsId): void {
    if (this.groups.delete(attrs)) this.attrs.release(attrs);
  }
}
