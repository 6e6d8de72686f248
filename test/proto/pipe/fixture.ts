/**
 * Tables a, b, c … with one source of routes each, and pipes between them; nets are 0.0.N.0/24. Says what every table
 * holds, and, slowly and by the rule alone, where a pipe has not done what it should.
 */

import { AttrsTable } from "../../../src/nest/attrs.ts";
import { ACCEPT_ALL, type Filter, type FilteredRoute, REJECT_ALL } from "../../../src/nest/filter.ts";
import { originOf } from "../../../src/nest/origin.ts";
import { Rtable } from "../../../src/nest/rtable.ts";
import type { PipeConfig } from "../../../src/proto/pipe/config.ts";
import { PipeProtocol } from "../../../src/proto/pipe/pipe.ts";
import { draftOf } from "../../support/draft.ts";
import { FakeClock } from "../../support/fake-clock.ts";

export interface Wanted {
  /** Tells routes apart: it is their flow. */
  readonly id: number;
  readonly preference: number;
  readonly metric: number;
}

export interface Link {
  readonly config: PipeConfig;
  readonly pipe: PipeProtocol;
}

/** A filter that does to the route what `change` does; false: it does not pass. */
export function filterOf(name: string, change: (route: FilteredRoute) => boolean | undefined): Filter {
  return {
    name,
    key: name,
    asksDevices: false,
    rejectsAll: false,
    apply: (route) => change(route) !== false,
  };
}

export class PipeNet {
  readonly attrs: AttrsTable = new AttrsTable();
  readonly clock: FakeClock = new FakeClock();
  readonly tables: ReadonlyMap<string, Rtable>;
  /** Pipes that run. */
  readonly links: Map<string, Link> = new Map();
  /** What the sources announce: by table and net. */
  readonly wanted: Map<string, Map<number, Wanted>> = new Map();
  /** Changes of best routes in all tables so far. */
  changes = 0;
  private readonly sources = new Map<string, number>();

  constructor(names: string) {
    this.tables = new Map(
      [...names].map((name) => [name, new Rtable(name, 4, this.attrs, this.clock)] as const),
    );
    for (const [name, table] of this.tables) {
      this.sources.set(name, table.addSource(`static-${name}`, "static"));
      this.wanted.set(name, new Map());
      table.listen({ bestChanged: () => this.changes++ });
    }
  }

  table(name: string): Rtable {
    const table = this.tables.get(name);
    if (table === undefined) throw new Error(`no table ${name}`);
    return table;
  }

  /** The two letters are its tables, and its name. Not started. */
  pipe(name: string, filters: { readonly import?: Filter; readonly export?: Filter } = {}): Link {
    const [table = "", peerTable = ""] = [...name];
    const config = { name, table, peerTable, import: ACCEPT_ALL, export: ACCEPT_ALL, ...filters };
    const pipe = new PipeProtocol({
      config,
      table: this.table(table),
      peer: this.table(peerTable),
      deviceName: String,
      clock: this.clock,
    });
    return { config, pipe };
  }

  async start(
    name: string,
    filters: { readonly import?: Filter; readonly export?: Filter } = {},
  ): Promise<Link> {
    const link = this.pipe(name, filters);
    this.links.set(name, link);
    await link.pipe.start();
    return link;
  }

  async stop(name: string): Promise<void> {
    const link = this.links.get(name);
    this.links.delete(name);
    await link?.pipe.stop();
  }

  async reconfigure(
    name: string,
    filters: { readonly import?: Filter; readonly export?: Filter },
  ): Promise<void> {
    const link = this.links.get(name);
    if (link === undefined) return;
    const config = { ...link.config, ...filters };
    this.links.set(name, { ...link, config });
    await link.pipe.reconfigure(config);
  }

  announce(name: string, net: number, id: number, preference = 200, metric = 0): void {
    this.wanted.get(name)?.set(net, { id, preference, metric });
    const attrs = this.attrs.intern(draftOf({ flow: id }));
    this.table(name).update(this.sources.get(name)!, net << 8, 0, 0, 0, 24, attrs, preference, metric);
  }

  withdraw(name: string, net: number): void {
    this.wanted.get(name)?.delete(net);
    this.table(name).withdraw(this.sources.get(name)!, net << 8, 0, 0, 0, 24);
  }

  /** Lets all that waits run; those without rest get so many windows. */
  async quiet(windows = 3): Promise<void> {
    for (let i = 0; i < windows; i++) await this.clock.advance(1000);
  }

  /** The routes of a table, best first: "1: id 7 preference 200 metric 0 from ab trail a,c". */
  shown(name: string): string[] {
    const table = this.table(name);
    const lines: string[] = [];
    for (let node = table.fib.next(0); node !== 0; node = table.fib.next(node)) {
      for (let route = table.best(node); route !== 0; route = table.nextRoute(route)) {
        const net = table.fib.word(node, 0) >>> 8;
        const source = table.source(table.sourceOf(route)).name;
        lines.push(`${net}: ${this.text(table, route)} from ${source} trail ${this.trail(table, route)}`);
      }
    }
    return lines;
  }

  /** The best route of a net, or "none". */
  best(name: string, net: number): string {
    const table = this.table(name);
    const node = table.fib.find(net << 8, 0, 0, 0, 24);
    const best = node === 0 ? 0 : table.best(node);
    return best === 0 ? "none" : this.text(table, best);
  }

  /** Where a table does not hold through a pipe just what the other table's best route and the filter make. */
  faults(nets: number): string[] {
    const faults: string[] = [];
    for (const { config } of this.links.values()) {
      const { table, peerTable } = config;
      for (let net = 0; net < nets; net++) {
        const ways = [
          [table, peerTable, config.export],
          [peerTable, table, config.import],
        ] as const;
        for (const [from, to, filter] of ways) {
          const should = this.expected(config.name, from, to, filter, net);
          const has = this.held(config.name, to, net);
          if (should !== has)
            faults.push(`${net} ${from}→${to} by ${config.name}: ${has}, should be ${should}`);
        }
      }
    }
    return faults;
  }

  /** All exported counts agree with the tables. */
  miscounts(): string[] {
    return [...this.links.values()].flatMap(({ pipe }) =>
      pipe.channels.flatMap(({ stats }, i) => {
        const wrong = [
          stats.importUpdates,
          stats.importWithdraws,
          stats.exportUpdates,
          stats.exportWithdraws,
        ].some((c) => c.received !== c.accepted + c.filtered + c.ignored + c.rejected);
        return wrong ? [`${pipe.name} ${i}: ${JSON.stringify(stats)}`] : [];
      }),
    );
  }

  private expected(pipe: string, from: string, to: string, filter: Filter, net: number): string {
    const table = this.table(from);
    const node = table.fib.find(net << 8, 0, 0, 0, 24);
    const best = node === 0 ? 0 : table.best(node);
    if (best === 0 || table.source(table.sourceOf(best)).name === pipe) return "nothing";
    const { trail } = originOf(table.origin(best));
    if (trail.includes(to)) return "nothing";
    const { name: source, sourceType } = table.source(table.sourceOf(best));
    const route: FilteredRoute = {
      family: 4,
      w0: net << 8,
      w1: 0,
      w2: 0,
      w3: 0,
      length: 24,
      attrs: table.attrsOf(best),
      metric: table.metricOf(best),
      preference: table.preferenceOf(best),
      source,
      sourceType,
      protocol: 0,
    };
    if (filter === REJECT_ALL || !filter.apply(route, { attrs: this.attrs, deviceName: String }))
      return "nothing";
    const { flow } = this.attrs.describe(route.attrs);
    return `id ${flow} preference ${route.preference} metric ${route.metric} trail ${[...trail, from].join()}`;
  }

  private held(pipe: string, to: string, net: number): string {
    const table = this.table(to);
    const node = table.fib.find(net << 8, 0, 0, 0, 24);
    for (let route = node === 0 ? 0 : table.best(node); route !== 0; route = table.nextRoute(route)) {
      if (table.source(table.sourceOf(route)).name !== pipe) continue;
      return `${this.text(table, route)} trail ${this.trail(table, route)}`;
    }
    return "nothing";
  }

  private text(table: Rtable, route: number): string {
    const { flow } = this.attrs.describe(table.attrsOf(route));
    return `id ${flow} preference ${table.preferenceOf(route)} metric ${table.metricOf(route)}`;
  }

  private trail(table: Rtable, route: number): string {
    return originOf(table.origin(route)).trail.join();
  }
}
