/** The configured protocols as one list, and what of two configurations belongs together. */

import type { KrtConfig } from "../config/config.ts";
import type { DirectConfig } from "../proto/direct/config.ts";
import type { KernelConfig } from "../proto/kernel/config.ts";
import type { PipeConfig } from "../proto/pipe/config.ts";
import type { StaticConfig } from "../proto/static/config.ts";

/** What one protocol needs to be made. The device protocols are made by their namespaces. */
export type ProtocolSpec =
  | { readonly type: "kernel"; readonly config: KernelConfig }
  | { readonly type: "static"; readonly config: StaticConfig }
  | { readonly type: "direct"; readonly config: DirectConfig }
  | { readonly type: "pipe"; readonly config: PipeConfig };

export function specsOf(config: KrtConfig): Map<string, ProtocolSpec> {
  const specs = new Map<string, ProtocolSpec>();
  for (const one of config.kernels) specs.set(one.name, { type: "kernel", config: one });
  for (const one of config.statics) specs.set(one.name, { type: "static", config: one });
  for (const one of config.directs) specs.set(one.name, { type: "direct", config: one });
  for (const one of config.pipes) specs.set(one.name, { type: "pipe", config: one });
  return specs;
}

/** The tables a protocol works on. */
export function tablesOf(spec: ProtocolSpec): readonly string[] {
  switch (spec.type) {
    case "direct":
      return spec.config.tables;
    case "pipe":
      return [spec.config.table, spec.config.peerTable];
    default:
      return [spec.config.table];
  }
}

/** The network namespaces that are served: the daemon's own (null), and those of the kernel protocols. */
export function namespacesOf(config: KrtConfig): Set<string | null> {
  return new Set([null, ...config.kernels.map(({ netns }) => netns)]);
}

/** The namespace a table's interfaces are in. */
export function namespaceOfTable(config: KrtConfig, table: string): string | null {
  return config.tables.find(({ name }) => name === table)?.netns ?? null;
}

/**
 * Whether some kernel protocol of `after` takes over the kernel table of `kernel`, with its routes: then they stay when
 * this one stops, and the other adopts what it wants of them. `disabled` are the names of protocols that do not run.
 */
export function isTakenOver(
  kernel: KernelConfig,
  before: KrtConfig,
  after: KrtConfig,
  disabled: ReadonlySet<string>,
): boolean {
  const family = familyOf(before, kernel.table);
  // Former numbers of before do not matter: what still has them goes by what the instance itself left (protocols.ts).
  const known = [after.protocolId, ...after.formerProtocolIds].includes(before.protocolId);
  return after.kernels.some(
    (other) =>
      known &&
      !disabled.has(other.name) &&
      !other.export.rejectsAll &&
      other.netns === kernel.netns &&
      other.kernelTable === kernel.kernelTable &&
      familyOf(after, other.table) === family,
  );
}

function familyOf(config: KrtConfig, table: string): number | undefined {
  return config.tables.find(({ name }) => name === table)?.family;
}
