/**
 * table → net → list of entries: the storage both families share. It remembers which prefix lengths a table
 * has, so that a longest match asks only for those. An empty list is not kept; an empty table is (the kernel
 * keeps one for ever too, once something was put into it).
 */

import { compareDumpOrder } from "../../lib/dump-order.ts";
import type { IpAddress } from "../../lib/ip.ts";
import { type Prefix, prefixContains } from "../../lib/prefix.ts";
import { keyOfNet, netOf } from "./route.ts";

interface Bucket<E> {
  readonly net: Prefix;
  readonly list: E[];
}

export interface Table<E> {
  readonly nets: Map<string, Bucket<E>>;
  /** How many nets there are of each length. */
  readonly lengths: Int32Array;
}

export class NetLists<E> {
  private readonly tables = new Map<number, Table<E>>();

  /** The live list of a net; empty when there is none. Change it only through change(). */
  list(table: number, net: Prefix): readonly E[] {
    return this.tables.get(table)?.nets.get(keyOfNet(net))?.list ?? [];
  }

  /** Lets `edit` change the list of a net, which comes into being and goes as needed. */
  change<R>(table: number, net: Prefix, edit: (list: E[]) => R): R {
    const found = this.open(table);
    const key = keyOfNet(net);
    let bucket = found.nets.get(key);
    if (bucket === undefined) {
      bucket = { net, list: [] };
      found.nets.set(key, bucket);
      found.lengths[net.length]!++;
    }
    const result = edit(bucket.list);
    if (bucket.list.length === 0) {
      found.nets.delete(key);
      found.lengths[net.length]!--;
    }
    return result;
  }

  /** Makes the table if there is none. An insert does this before anything can be wrong with it. */
  open(table: number): Table<E> {
    let found = this.tables.get(table);
    if (found === undefined) {
      found = { nets: new Map(), lengths: new Int32Array(129) };
      this.tables.set(table, found);
    }
    return found;
  }

  /** Offers the lists around an address, longest prefix first, until `visit` returns something. */
  search<R>(
    tables: readonly number[],
    address: IpAddress,
    visit: (list: readonly E[]) => R | null,
  ): R | null {
    for (let length = address.family === 4 ? 32 : 128; length >= 0; length--) {
      let key: string | null = null;
      for (const id of tables) {
        const table = this.tables.get(id);
        if (table === undefined || table.lengths[length] === 0) continue;
        key ??= keyOfNet(netOf(address, length));
        const bucket = table.nets.get(key);
        const result = bucket === undefined ? null : visit(bucket.list);
        if (result !== null) return result;
      }
    }
    return null;
  }

  /** Whether nets of the table lie in both halves of `net`: a tree of prefixes has a fork there. */
  forksAt(table: number, net: Prefix): boolean {
    const nets = this.tables.get(table)?.nets.values() ?? [];
    let halves = 0;
    for (const { net: other } of nets) {
      if (other.length <= net.length || !prefixContains(net, other)) continue;
      halves |= bitOf(other, net.length) === 0 ? 1 : 2;
      if (halves === 3) return true;
    }
    return false;
  }

  has(table: number): boolean {
    return this.tables.has(table);
  }

  tableIds(): number[] {
    return [...this.tables.keys()].sort((a, b) => a - b);
  }

  /** The nets of a table in dump order. */
  nets(table: number): Prefix[] {
    const buckets = this.tables.get(table)?.nets.values() ?? [];
    return Array.from(buckets, (bucket) => bucket.net).sort((a, b) => compareDumpOrder(a.family, a, b));
  }

  /** A copy of every list with where it stands: the tables may be changed while one walks it. */
  all(): { readonly table: number; readonly net: Prefix; readonly list: readonly E[] }[] {
    const all = [];
    for (const [table, { nets }] of this.tables) {
      for (const { net, list } of nets.values()) all.push({ table, net, list: [...list] });
    }
    return all;
  }
}

function bitOf(address: IpAddress, position: number): number {
  const words = [address.w0, address.w1, address.w2, address.w3];
  return (words[position >> 5]! >>> (31 - (position & 31))) & 1;
}
