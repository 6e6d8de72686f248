/**
 * What the compliance cases work with: an Os in a world of its own, the `ip` of that world, and readable
 * changes. The topology is the same everywhere: d0 (index 10) and d1 (index 11) always have a carrier.
 */

import { isPrefix, parsePrefix } from "../../../src/lib/prefix.ts";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import type { AttrsId } from "../../../src/nest/route.ts";
import {
  type AddressInfo,
  type LinkInfo,
  type Os,
  ROUTE_ADD,
  type RouteBatch,
  type ScanOutcome,
} from "../../../src/sysdep/os.ts";
import { type AttrsText, draftOf } from "../../support/draft.ts";
import { routeText } from "../../support/route-text.ts";

/** A world to test an Os in: the model, or a network namespace. */
export interface OsFixture {
  readonly os: Os;
  /** Runs `ip COMMAND` in that world, one after the other; rejects when one fails. */
  ip(commands: readonly string[]): Promise<void>;
  /** Whether the kernel's own words come along with an errno. */
  readonly hasTexts: boolean;
  /** Closes the Os and leaves nothing behind. */
  dispose(): Promise<void>;
}

/** Makes a fresh world with only `lo`; `attrs` is where the Os finds attributes. */
export type FixtureMaker = (attrs: AttrsTable) => Promise<OsFixture>;

export const D0 = 10;
export const D1 = 11;
export const OURS = 120;
export const METRIC = 32;

export const TOPOLOGY: readonly string[] = [
  `link add d0 index ${D0} type ifb`,
  `link add d1 index ${D1} type ifb`,
  "link set d0 up",
  "link set d1 up",
  "addr add 10.0.0.1/24 dev d0",
  "addr add 10.1.0.1/24 dev d1",
  "addr add 2001:db8::1/64 dev d0 nodad",
  "addr add 2001:db8:1::1/64 dev d1 nodad",
];

export interface Change {
  readonly op?: number;
  readonly prefix: string;
  readonly attrs?: AttrsText;
  readonly metric?: number;
}

/** One route of ours as a scan showed it. */
export interface Shown {
  readonly text: string;
  readonly protocol: number;
  readonly metric: number;
}

export class ComplianceRig {
  readonly fixture: OsFixture;
  readonly attrs: AttrsTable;

  private constructor(fixture: OsFixture, attrs: AttrsTable) {
    this.fixture = fixture;
    this.attrs = attrs;
  }

  static async create(make: FixtureMaker): Promise<ComplianceRig> {
    const attrs = new AttrsTable();
    const fixture = await make(attrs);
    const rig = new ComplianceRig(fixture, attrs);
    try {
      await rig.ip(...TOPOLOGY);
    } catch (error) {
      await fixture.dispose();
      throw error;
    }
    return rig;
  }

  get os(): Os {
    return this.fixture.os;
  }

  async ip(...commands: readonly string[]): Promise<void> {
    if (commands.length > 0) await this.fixture.ip(commands);
  }

  intern(attrs: AttrsText): AttrsId {
    return this.attrs.intern(draftOf(attrs));
  }

  /** A batch of ours; ROUTE_ADD and METRIC unless a change says otherwise. Host bits are let through. */
  batch(table: number, changes: readonly Change[]): RouteBatch {
    const count = changes.length;
    const nets = changes.map(({ prefix }) => netOf(prefix));
    const batch: RouteBatch = {
      capacity: count,
      family: nets[0]!.family,
      table,
      count,
      protocol: new Uint8Array(count).fill(OURS),
      op: Uint8Array.from(changes, ({ op }) => op ?? ROUTE_ADD),
      key: new Int32Array(count * 4),
      length: Uint8Array.from(nets, ({ length }) => length),
      metric: Uint32Array.from(changes, ({ metric }) => metric ?? METRIC),
      attrs: Int32Array.from(changes, ({ attrs }) => this.intern(attrs ?? { type: "blackhole" })),
      errno: new Int32Array(count).fill(-99),
      errorText: new Map(),
    };
    for (const [i, { w0, w1, w2, w3 }] of nets.entries()) batch.key.set([w0, w1, w2, w3], i * 4);
    return batch;
  }

  /** Applies the changes to one table; resolves to the errno of each. */
  async write(table: number, ...changes: readonly Change[]): Promise<number[]> {
    const batch = this.batch(table, changes);
    await this.os.writeRoutes(batch);
    return [...batch.errno];
  }

  /** All routes of a table but the kernel's own, in the order of the scan, and how it ended. */
  async scan(family: 4 | 6, table: number): Promise<{ outcome: ScanOutcome; routes: Shown[] }> {
    const routes: Shown[] = [];
    const outcome = await this.os.scanRoutes(
      { family, table },
      {
        route: (route) => {
          const { protocol, metric } = route;
          if (protocol !== 2) routes.push({ text: routeText(route), protocol, metric });
        },
      },
    );
    return { outcome, routes };
  }

  /** The same as sorted lines; fails when the scan was not complete. */
  async lines(family: 4 | 6, table: number): Promise<string[]> {
    const { outcome, routes } = await this.scan(family, table);
    if (!outcome.complete) throw new Error(`Scan is not complete: ${outcome.reason}`);
    return routes.map((route) => route.text).sort();
  }

  /** How many routes of a table equal the wanted attributes, by the comparison the kernel protocol uses. */
  async matching(family: 4 | 6, table: number, wanted: AttrsId): Promise<number> {
    let count = 0;
    await this.os.scanRoutes(
      { family, table },
      {
        route: (route) =>
          void (route.protocol === OURS && this.attrs.matches(wanted, route.attrs) && count++),
      },
    );
    return count;
  }

  async interfaces(): Promise<{ outcome: ScanOutcome; links: LinkInfo[]; addresses: AddressInfo[] }> {
    const links: LinkInfo[] = [];
    const addresses: AddressInfo[] = [];
    const outcome = await this.os.scanInterfaces({
      link: (link) => void links.push({ ...link }),
      address: (address) => void addresses.push({ ...address }),
    });
    return { outcome, links, addresses };
  }
}

function netOf(text: string): {
  family: 4 | 6;
  w0: number;
  w1: number;
  w2: number;
  w3: number;
  length: number;
} {
  const parsed = parsePrefix(text);
  if (isPrefix(parsed)) return parsed;
  const [address, length] = text.split("/");
  const host = parsePrefix(`${address}/${address!.includes(":") ? 128 : 32}`);
  if (!isPrefix(host)) throw new Error(parsed.message);
  return { ...host, length: Number(length) };
}
