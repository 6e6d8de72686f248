/**
 * A namespace with two connected links, and our codec on a real netlink socket in it: for live tests of what
 * the kernel makes of our route messages and we of its. No krtd part above the codec is involved.
 */

import { isPrefix, parsePrefix } from "../../src/lib/prefix.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { NLM_F_ACK, RTM_GETROUTE } from "../../src/sysdep/linux/netlink/constants.ts";
import { SocketTransport } from "../../src/sysdep/linux/netlink/socket-transport.ts";
import {
  decodeRoute,
  encodeRouteDumpFilter,
  RouteEncoder,
  RouteView,
} from "../../src/sysdep/linux/rtnetlink/route.ts";
import { type AttrsText, draftOf } from "./draft.ts";
import { createNetns, type Netns } from "./netns.ts";
import { routeText } from "./route-text.ts";

export const PROTOCOL = 120;
export const METRIC = 32;
export const TABLE = 1000;
/** Indexes of the links, pinned: v0 has 10.0.0.1/24 and 2001:db8::1/64, v2 10.0.1.1/24 and 2001:db8:1::1/64. */
export const V0 = 10;
export const V2 = 12;

export interface RouteChange {
  /** ROUTE_*. */
  readonly op: number;
  readonly prefix: string;
  readonly table?: number;
  readonly metric?: number;
  /** Null: nothing is known (deletes only). */
  readonly attrs: AttrsText | null;
}

export class CodecRig {
  readonly ns: Netns;
  private readonly attrs = new AttrsTable();
  private readonly encoder = new RouteEncoder(this.attrs);
  private readonly transport = new SocketTransport({ rxBufferBytes: 1 << 20 });

  private constructor(ns: Netns) {
    this.ns = ns;
  }

  static async create(): Promise<CodecRig> {
    const ns = await createNetns();
    const rig = new CodecRig(ns);
    try {
      await ns.batch([
        `link add v0 index ${V0} type veth peer name v1`,
        `link add v2 index ${V2} type veth peer name v3`,
        ...["v0", "v1", "v2", "v3"].map((link) => `link set ${link} up`),
        "addr add 10.0.0.1/24 dev v0",
        "addr add 10.0.1.1/24 dev v2",
        "addr add 2001:db8::1/64 dev v0 nodad",
        "addr add 2001:db8:1::1/64 dev v2 nodad",
      ]);
      await ns.inside(() => rig.transport.open());
    } catch (error) {
      await rig.dispose();
      throw error;
    }
    return rig;
  }

  async dispose(): Promise<void> {
    await this.transport.close();
    await this.ns.dispose();
  }

  /** Removes all routes of the given protocol and of ours. */
  async flush(protocol = "static"): Promise<void> {
    for (const family of [4, 6]) {
      await this.ns.tryIp(`-${family} route flush table all proto ${PROTOCOL}`);
      await this.ns.tryIp(`-${family} route flush table all proto ${protocol}`);
    }
  }

  /** Sends one change; resolves to errno, 0 for success, -1 when no answer came. */
  async send(change: RouteChange): Promise<number> {
    const { op, prefix, table = TABLE, metric = METRIC } = change;
    const parsed = parsePrefix(prefix);
    if (!isPrefix(parsed)) throw new Error(parsed.message);
    const { family, w0, w1, w2, w3, length } = parsed;
    const id = change.attrs === null ? 0 : this.attrs.intern(draftOf(change.attrs));
    const bytes = new Uint8Array(65536);
    const view = new DataView(bytes.buffer);
    const sequence = this.transport.reserveSequence(1);
    const end = this.encoder.encode(
      bytes,
      view,
      0,
      op,
      family,
      w0,
      w1,
      w2,
      w3,
      length,
      table,
      PROTOCOL,
      metric,
      id,
      sequence,
      NLM_F_ACK,
    );
    const reply = await this.transport.batch(bytes, end, 1, sequence);
    return reply.unknownFrom === null ? (reply.errors.get(0)?.errno ?? 0) : -1;
  }

  /** What a dump of the table shows, by our own decoder, as of routeText(). Throws on a malformed message. */
  async dumped(family: 4 | 6, table: number = TABLE): Promise<string[]> {
    const found: string[] = [];
    await this.dump(family, table, (route) => found.push(routeText(route)));
    return found;
  }

  /** Whether each route of TABLE is what those attributes want, as the kernel protocol compares them. */
  async matches(family: 4 | 6, attrs: AttrsText): Promise<boolean[]> {
    const wanted = this.attrs.intern(draftOf(attrs));
    const found: boolean[] = [];
    await this.dump(family, TABLE, (route) => found.push(this.attrs.matches(wanted, route.attrs)));
    return found;
  }

  private async dump(family: 4 | 6, table: number, each: (route: RouteView) => void): Promise<void> {
    let malformed = 0;
    const route = new RouteView();
    await this.transport.dump(
      { type: RTM_GETROUTE, payload: encodeRouteDumpFilter(family, table) },
      (bytes, view, start, end) => {
        if (!decodeRoute(bytes, view, start, end, route)) malformed++;
        else if (route.table === table) each(route);
      },
    );
    if (malformed > 0) throw new Error(`${malformed} messages of the kernel are malformed to us`);
  }
}
