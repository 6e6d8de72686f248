/** The Linux Os in a namespace of its own with the usual topology, and batches from readable changes. */

import { silentLog } from "../../src/lib/log.ts";
import { isPrefix, parsePrefix } from "../../src/lib/prefix.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { LinuxOs, openLinuxOs } from "../../src/sysdep/linux/index.ts";
import type { NetlinkTransport } from "../../src/sysdep/linux/netlink/transport.ts";
import type { Os, RouteBatch, ScanOutcome } from "../../src/sysdep/os.ts";
import { type AttrsText, draftOf } from "./draft.ts";
import { createTopology, ifindexOf, type Netns } from "./netns.ts";
import { routeText } from "./route-text.ts";

export const RIG_TABLE = 1000;
export const RIG_PROTOCOL = 120;
export const RIG_METRIC = 32;

export interface OsChange {
  /** ROUTE_*. */
  readonly op: number;
  readonly prefix: string;
  readonly attrs: AttrsText;
}

export class OsRig {
  readonly ns: Netns;
  readonly os: Os;
  /** Index of v0. */
  readonly v0: number;
  private readonly attrs: AttrsTable;

  private constructor(ns: Netns, os: Os, v0: number, attrs: AttrsTable) {
    this.ns = ns;
    this.os = os;
    this.v0 = v0;
    this.attrs = attrs;
  }

  /** Over a socket transport with `rxBufferBytes`, or over `transport`. */
  static async create(
    rxBufferBytes: number = 1 << 20,
    transport: NetlinkTransport | null = null,
  ): Promise<OsRig> {
    const ns = await createTopology();
    try {
      const attrs = new AttrsTable();
      const options = { attrs, log: silentLog, netns: ns.name };
      const os =
        transport === null
          ? openLinuxOs({ ...options, transport: "socket", rxBufferBytes })
          : new LinuxOs(transport, options);
      await os.open();
      return new OsRig(ns, os, await ifindexOf(ns, "v0"), attrs);
    } catch (error) {
      await ns.dispose();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await this.os.close();
    await this.ns.dispose();
  }

  /** All changes must be of one family. */
  batch(changes: readonly OsChange[]): RouteBatch {
    return buildBatch(changes, this.attrs);
  }

  /** Applies the changes and returns the outcome of each: 0, an errno with the kernel's text, or -1. */
  async write(changes: readonly OsChange[]): Promise<readonly (number | string)[]> {
    const batch = this.batch(changes);
    await this.os.writeRoutes(batch);
    return outcomes(batch);
  }

  async scan(family: 4 | 6, table: number = RIG_TABLE): Promise<{ outcome: ScanOutcome; routes: string[] }> {
    const routes: string[] = [];
    const outcome = await this.os.scanRoutes(
      { family, table },
      { route: (route) => routes.push(routeText(route)) },
    );
    return { outcome, routes: routes.sort() };
  }
}

export function buildBatch(changes: readonly OsChange[], attrs: AttrsTable): RouteBatch {
  const count = changes.length;
  const prefixes = changes.map(({ prefix: text }) => {
    const prefix = parsePrefix(text);
    if (!isPrefix(prefix)) throw new Error(prefix.message);
    return prefix;
  });
  const batch: RouteBatch = {
    capacity: count,
    family: prefixes[0]?.family ?? 4,
    table: RIG_TABLE,
    count,
    protocol: new Uint8Array(count).fill(RIG_PROTOCOL),
    op: Uint8Array.from(changes, ({ op }) => op),
    key: new Int32Array(count * 4),
    length: Uint8Array.from(prefixes, ({ length }) => length),
    metric: new Uint32Array(count).fill(RIG_METRIC),
    attrs: Int32Array.from(changes, (change) => attrs.intern(draftOf(change.attrs))),
    errno: new Int32Array(count),
    errorText: new Map(),
  };
  prefixes.forEach(({ w0, w1, w2, w3 }, i) => {
    batch.key.set([w0, w1, w2, w3], i * 4);
  });
  return batch;
}

export function outcomes(batch: RouteBatch): (number | string)[] {
  return Array.from(batch.errno, (errno, i) => {
    const text = batch.errorText.get(i);
    return text === undefined ? errno : `${errno} ${text}`;
  });
}
