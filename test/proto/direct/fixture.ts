/** A direct protocol with a table of each family on a table of interfaces that the test fills by hand. */

import { type IpAddress, parseIp } from "../../../src/lib/ip.ts";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import { ACCEPT_ALL } from "../../../src/nest/filter.ts";
import { type AddressInfo, Interfaces, type LinkInfo } from "../../../src/nest/iface.ts";
import { Rtable } from "../../../src/nest/rtable.ts";
import type { DirectConfig } from "../../../src/proto/direct/config.ts";
import { DirectProtocol } from "../../../src/proto/direct/direct.ts";
import { FakeClock } from "../../support/fake-clock.ts";

export const UP: number = 0x1 | 0x40 | 0x10000;

export function linkOf(ifindex: number, name: string, more: Partial<LinkInfo> = {}): LinkInfo {
  return {
    ifindex,
    name,
    flags: UP,
    mtu: 1500,
    mac: null,
    kind: "veth",
    master: null,
    operstate: 6,
    carrier: true,
    ...more,
  };
}

/** `text` is ADDRESS/LENGTH with host bits, `peer` an address. */
export function addressOf(
  ifindex: number,
  text: string,
  more: { readonly peer?: string; readonly scope?: number; readonly flags?: number } = {},
): AddressInfo {
  const [address = "", length = ""] = text.split("/");
  const peer = more.peer === undefined ? null : ip(more.peer);
  return {
    ifindex,
    ...ip(address),
    length: Number(length),
    peer: peer === null ? null : [peer.w0, peer.w1, peer.w2, peer.w3],
    scope: more.scope ?? 0,
    flags: more.flags ?? 0x80,
  };
}

function ip(text: string): IpAddress {
  const address = parseIp(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

export const CONFIG: DirectConfig = {
  name: "direct1",
  tables: ["master4", "master6"],
  interfaces: [],
  preference: 240,
  import: ACCEPT_ALL,
};

export interface DirectFixture {
  readonly protocol: DirectProtocol;
  readonly tables: readonly Rtable[];
  readonly attrs: AttrsTable;
  readonly interfaces: Interfaces;
  readonly clock: FakeClock;
  /** Lines since the last call: "10.0.0.0/24 dev 2", "10.0.0.0/24 gone". */
  changes(): string[];
  /** All routes: "10.0.0.0/24 dev 2 preference 240", sorted. */
  shown(): string[];
}

export function directFixture(config: Partial<DirectConfig> = {}): DirectFixture {
  const clock = new FakeClock();
  const attrs = new AttrsTable();
  const tables = [new Rtable("master4", 4, attrs, clock), new Rtable("master6", 6, attrs, clock)];
  const interfaces = new Interfaces({ requireAddress: false });
  const protocol = new DirectProtocol({ config: { ...CONFIG, ...config }, tables, interfaces, clock });
  const log: string[] = [];
  const text = (table: Rtable, node: number, best: number): string => {
    const { nexthops } = attrs.describe(table.attrsOf(best));
    return `${table.fib.formatNode(node)} dev ${nexthops.map(({ device }) => device).join()}`;
  };
  for (const table of tables) {
    table.listen({
      bestChanged: (node, best) =>
        log.push(best === 0 ? `${table.fib.formatNode(node)} gone` : text(table, node, best)),
    });
  }
  return {
    protocol,
    tables,
    attrs,
    interfaces,
    clock,
    changes: () => log.splice(0),
    shown: () => {
      const lines: string[] = [];
      for (const table of tables) {
        for (let node = table.fib.next(0); node !== 0; node = table.fib.next(node)) {
          const best = table.best(node);
          if (best !== 0) lines.push(`${text(table, node, best)} preference ${table.preferenceOf(best)}`);
        }
      }
      return lines.sort();
    },
  };
}
