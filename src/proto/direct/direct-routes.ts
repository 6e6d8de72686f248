/**
 * The device routes of one table. Several interfaces may have the same net, but a net has one route per source: the
 * claimants of each net are kept, the one with the lowest ifindex that the import filter lets in is announced, and when
 * it goes the next takes over by one update, without a moment in which there is no route. Lowest ifindex, because it
 * does not depend on the order in which addresses were seen: a restart chooses the same.
 */

import { formatPrefix, type Prefix } from "../../lib/prefix.ts";
import { AttrsDraft } from "../../nest/attrs-draft.ts";
import type { Channel } from "../../nest/channel.ts";
import { internOrigin } from "../../nest/origin.ts";

/** linux/rtnetlink.h */
const RTN_UNICAST = 1;
const CONNECTED = internOrigin({ protocol: 0, recursive: false, connected: true, trail: [] });

interface Net {
  readonly prefix: Prefix;
  /** Indexes of the interfaces that have it, ascending; never empty. */
  readonly claimants: number[];
  /** The one that was announced and let in; 0: none. */
  announced: number;
}

const NO_NETS: ReadonlySet<string> = new Set();

export class DirectRoutes {
  readonly channel: Channel;
  private readonly nets = new Map<string, Net>();
  private readonly netsOf = new Map<number, ReadonlySet<string>>();
  private readonly draft = new AttrsDraft();

  constructor(channel: Channel) {
    this.channel = channel;
  }

  /**
   * These are the nets of the interface now, however often each; what differs from before is announced or withdrawn.
   * `again`: those announced for it already are announced once more.
   */
  set(ifindex: number, prefixes: readonly Prefix[], again: boolean): void {
    const before = this.netsOf.get(ifindex) ?? NO_NETS;
    const now = new Set<string>();
    for (const prefix of prefixes) {
      const key = textOf(prefix);
      if (now.has(key)) continue;
      now.add(key);
      if (!before.has(key)) this.claim(key, prefix, ifindex);
      else if (again) this.repeat(key, ifindex);
    }
    for (const key of before) if (!now.has(key)) this.yieldClaim(key, ifindex);
    if (now.size === 0) this.netsOf.delete(ifindex);
    else this.netsOf.set(ifindex, now);
  }

  private claim(key: string, prefix: Prefix, ifindex: number): void {
    const net = this.nets.get(key) ?? { prefix, claimants: [], announced: 0 };
    this.nets.set(key, net);
    net.claimants.push(ifindex);
    net.claimants.sort((a, b) => a - b);
    if (net.announced === 0 || ifindex < net.announced) this.announceFirst(net);
  }

  private repeat(key: string, ifindex: number): void {
    const net = this.nets.get(key);
    // What was not let in, or is now, may be another one than before.
    if (net !== undefined && (net.announced === 0 || ifindex <= net.announced)) this.announceFirst(net);
  }

  private yieldClaim(key: string, ifindex: number): void {
    const net = this.nets.get(key);
    if (net === undefined) return;
    const { prefix, claimants } = net;
    claimants.splice(claimants.indexOf(ifindex), 1);
    if (claimants.length === 0) {
      this.nets.delete(key);
      this.channel.withdrawRoute(prefix.w0, prefix.w1, prefix.w2, prefix.w3, prefix.length);
    } else if (net.announced === ifindex) {
      this.announceFirst(net);
    }
  }

  private announceFirst(net: Net): void {
    net.announced = net.claimants.find((ifindex) => this.announce(net.prefix, ifindex)) ?? 0;
  }

  /** False: the filter does not let it in. The scope stays open: the kernel shows "link" for such an IPv4 route and none for IPv6. */
  private announce(prefix: Prefix, ifindex: number): boolean {
    const { draft, channel } = this;
    draft.reset(RTN_UNICAST);
    draft.addNexthop(0, 0, 0, 0, 0, ifindex, 1, 0, 0);
    draft.finish();
    const attrs = channel.table.attrs.intern(draft);
    const { w0, w1, w2, w3, length } = prefix;
    return channel.importRoute(w0, w1, w2, w3, length, attrs, 0, CONNECTED);
  }
}

function textOf({ family, w0, w1, w2, w3, length }: Prefix): string {
  return formatPrefix(family, w0, w1, w2, w3, length);
}
