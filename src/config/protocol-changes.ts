/**
 * What the change of one protocol's configuration means for it. A restart takes all of its routes out of the
 * tables and the kernel and brings them back, so it is only for what cannot be done otherwise: another table,
 * another namespace, another mark on the routes.
 */

import type { Clock } from "../lib/clock.ts";
import type { Filter } from "../nest/filter.ts";
import type { DeviceConfig } from "../proto/device/config.ts";
import type { DirectConfig } from "../proto/direct/config.ts";
import type { KernelConfig } from "../proto/kernel/config.ts";
import type { PipeConfig } from "../proto/pipe/config.ts";
import type { StaticConfig } from "../proto/static/config.ts";
import type { KrtConfig, TableConfig } from "./config.ts";
import { compareRouteSets, describeRouteChanges } from "./route-changes.ts";

/** A protocol's configuration with its type. */
type TypedConfig =
  | { readonly type: "device"; readonly config: DeviceConfig }
  | { readonly type: "kernel"; readonly config: KernelConfig }
  | { readonly type: "static"; readonly config: StaticConfig }
  | { readonly type: "direct"; readonly config: DirectConfig }
  | { readonly type: "pipe"; readonly config: PipeConfig };

/** One side of a comparison, looked up by name. */
export interface Side {
  readonly config: KrtConfig;
  readonly tables: ReadonlyMap<string, TableConfig>;
  /** In the order of start. */
  readonly protocols: ReadonlyMap<string, TypedConfig>;
}

export function sideOf(config: KrtConfig): Side {
  const protocols = new Map<string, TypedConfig>([["device", { type: "device", config: config.device }]]);
  for (const one of config.kernels) protocols.set(one.name, { type: "kernel", config: one });
  for (const one of config.statics) protocols.set(one.name, { type: "static", config: one });
  for (const one of config.directs) protocols.set(one.name, { type: "direct", config: one });
  for (const one of config.pipes) protocols.set(one.name, { type: "pipe", config: one });
  return { config, tables: new Map(config.tables.map((table) => [table.name, table])), protocols };
}

/** Why a protocol that stands on both sides must restart, or else be told; both empty: it is left alone. */
interface Reasons {
  readonly restart: readonly string[];
  readonly reconfigure: readonly string[];
}

/** Yields while it compares large sets of routes. */
export async function changeReasons(
  name: string,
  before: Side,
  after: Side,
  clock: Pick<Clock, "now" | "yield">,
): Promise<Reasons> {
  const old = before.protocols.get(name)!;
  const wanted = after.protocols.get(name)!;
  const notes = new Notes(before, after);
  if (old.type === "device" && wanted.type === "device") compareDevices(old.config, wanted.config, notes);
  else if (old.type === "kernel" && wanted.type === "kernel")
    compareKernels(old.config, wanted.config, notes);
  else if (old.type === "direct" && wanted.type === "direct")
    compareDirects(old.config, wanted.config, notes);
  else if (old.type === "pipe" && wanted.type === "pipe") comparePipes(old.config, wanted.config, notes);
  else if (old.type === "static" && wanted.type === "static")
    await compareStatics(old.config, wanted.config, notes, clock);
  else notes.restart.push("type");
  return notes;
}

function compareDevices(old: DeviceConfig, wanted: DeviceConfig, notes: Notes): void {
  notes.change("scan-time", old.scanTimeMs, wanted.scanTimeMs);
  notes.change("require-address", old.requireAddress, wanted.requireAddress);
  notes.change("interfaces", JSON.stringify(old.interfaces), JSON.stringify(wanted.interfaces));
}

function compareKernels(old: KernelConfig, wanted: KernelConfig, notes: Notes): void {
  const [before, after] = [notes.before.config, notes.after.config];
  notes.place("table", [old.table], [wanted.table]);
  notes.need("kernel-table", old.kernelTable, wanted.kernelTable);
  notes.need("netns", old.netns, wanted.netns);
  notes.need("protocol-id", before.protocolId, after.protocolId);
  notes.need("former-protocol-ids", idSet(before.formerProtocolIds), idSet(after.formerProtocolIds));
  // With export none the kernel table is not krtd's at all, otherwise krtd's routes there are.
  notes.need("export", old.export.rejectsAll, wanted.export.rejectsAll);
  notes.change("kernel-table", old.kernelTableName, wanted.kernelTableName);
  notes.change("scan-time", old.scanTimeMs, wanted.scanTimeMs);
  notes.change("metric", old.metric, wanted.metric);
  notes.change("learn", old.learn, wanted.learn);
  notes.change("persist", old.persist, wanted.persist);
  notes.change("merge-paths", old.mergePaths, wanted.mergePaths);
  notes.filter("import", old.import, wanted.import);
  notes.filter("export", old.export, wanted.export);
}

async function compareStatics(
  old: StaticConfig,
  wanted: StaticConfig,
  notes: Notes,
  clock: Pick<Clock, "now" | "yield">,
): Promise<void> {
  notes.place("table", [old.table], [wanted.table]);
  if (notes.restart.length > 0) return;
  const routes = describeRouteChanges(await compareRouteSets(old.routes, wanted.routes, clock));
  if (routes !== null) notes.reconfigure.push(routes);
  notes.change("preference", old.preference, wanted.preference);
  notes.change("check-link", old.checkLink, wanted.checkLink);
  notes.filter("import", old.import, wanted.import);
}

function compareDirects(old: DirectConfig, wanted: DirectConfig, notes: Notes): void {
  notes.place("table", old.tables, wanted.tables);
  notes.change("interfaces", old.interfaces.toSorted().join("/"), wanted.interfaces.toSorted().join("/"));
  notes.change("preference", old.preference, wanted.preference);
  notes.filter("import", old.import, wanted.import);
}

function comparePipes(old: PipeConfig, wanted: PipeConfig, notes: Notes): void {
  notes.place("table", [old.table], [wanted.table]);
  notes.place("peer-table", [old.peerTable], [wanted.peerTable]);
  notes.filter("import", old.import, wanted.import);
  notes.filter("export", old.export, wanted.export);
}

type Plain = string | number | boolean | null;

/** Collects reasons. What needs a restart is noted once, however many ways it shows in. */
class Notes implements Reasons {
  readonly restart: string[] = [];
  readonly reconfigure: string[] = [];
  readonly before: Side;
  readonly after: Side;

  constructor(before: Side, after: Side) {
    this.before = before;
    this.after = after;
  }

  need(key: string, old: Plain, wanted: Plain): void {
    if (old !== wanted) note(this.restart, key);
  }

  change(key: string, old: Plain, wanted: Plain): void {
    if (old !== wanted) note(this.reconfigure, key);
  }

  /** A filter of another name is a change of `key`; one of the same name with other rules, of the filter. */
  filter(key: string, old: Filter, wanted: Filter): void {
    if (old.key !== wanted.key) {
      note(this.reconfigure, old.name === wanted.name ? `filter ${wanted.name}` : key);
    }
  }

  /** Other tables, or the same with routes of another family or another namespace in them. */
  place(key: string, old: readonly string[], wanted: readonly string[]): void {
    if (old.join(" ") !== wanted.join(" ")) {
      note(this.restart, key);
      return;
    }
    for (const name of wanted) {
      const before = this.before.tables.get(name);
      const after = this.after.tables.get(name);
      if (before?.family !== after?.family) note(this.restart, `family of table ${name}`);
      if (before?.netns !== after?.netns) note(this.restart, `netns of table ${name}`);
    }
  }
}

function note(reasons: string[], reason: string): void {
  if (!reasons.includes(reason)) reasons.push(reason);
}

function idSet(ids: readonly number[]): string {
  return ids.toSorted((a, b) => a - b).join(" ");
}
