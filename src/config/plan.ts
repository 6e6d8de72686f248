/**
 * What it takes to get from one configuration to another, without doing it: `krtctl plan` shows this, and
 * `configure` acts on it. A protocol is left alone, reconfigured in place, restarted, added or removed; what is
 * left alone sees nothing of a reload.
 */

import type { Clock } from "../lib/clock.ts";
import type { ProtocolType } from "../nest/protocol.ts";
import type { KrtConfig } from "./config.ts";
import { changeReasons, sideOf } from "./protocol-changes.ts";

/** reasons: what changed, in words an operator finds in the file; none for what is added or removed. */
export interface ProtocolChange {
  readonly name: string;
  readonly type: ProtocolType;
  readonly action: "add" | "remove" | "restart" | "reconfigure";
  readonly reasons: readonly string[];
}

/** effect "restart": at the next start of the daemon. */
export interface SettingChange {
  readonly key: string;
  readonly effect: "now" | "restart";
}

export interface ConfigPlan {
  /** A table that gets another family is removed and added. */
  readonly tables: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** What goes first, then the rest in the order of start. */
  readonly protocols: readonly ProtocolChange[];
  readonly settings: readonly SettingChange[];
  /** There is nothing to do. */
  readonly empty: boolean;
}

/** Compares two checked configurations; yields now and then, for they may hold a million routes. */
export async function planConfig(
  before: KrtConfig,
  after: KrtConfig,
  clock: Pick<Clock, "now" | "yield">,
): Promise<ConfigPlan> {
  const tables = { added: missingTables(after, before), removed: missingTables(before, after) };
  const protocols: ProtocolChange[] = [];
  const old = sideOf(before);
  const wanted = sideOf(after);
  for (const [name, { type }] of old.protocols) {
    if (!wanted.protocols.has(name)) protocols.push({ name, type, action: "remove", reasons: [] });
  }
  for (const [name, { type }] of wanted.protocols) {
    if (!old.protocols.has(name)) {
      protocols.push({ name, type, action: "add", reasons: [] });
      continue;
    }
    const { restart, reconfigure } = await changeReasons(name, old, wanted, clock);
    if (restart.length > 0) protocols.push({ name, type, action: "restart", reasons: restart });
    else if (reconfigure.length > 0)
      protocols.push({ name, type, action: "reconfigure", reasons: reconfigure });
  }
  const settings = settingChanges(before, after);
  const changes = tables.added.length + tables.removed.length + protocols.length + settings.length;
  return { tables, protocols, settings, empty: changes === 0 };
}

/** The tables of `one` that `other` does not have, or has with another family. */
function missingTables(one: KrtConfig, other: KrtConfig): string[] {
  const families = new Map(other.tables.map(({ name, family }) => [name, family]));
  return one.tables.filter(({ name, family }) => families.get(name) !== family).map(({ name }) => name);
}

/** The settings, and when a change of each is felt. */
const SETTINGS: readonly [key: string, effect: SettingChange["effect"], (config: KrtConfig) => unknown][] = [
  ["router-id", "now", (config) => config.routerId],
  // The kernel protocols restart with these.
  ["protocol-id", "now", (config) => config.protocolId],
  ["former-protocol-ids", "now", (config) => config.formerProtocolIds.toSorted((a, b) => a - b)],
  ["log.level", "now", (config) => config.log.level],
  ["log.format", "restart", (config) => config.log.format],
  ["control.socket", "restart", (config) => config.control.socket],
  ["control.group", "restart", (config) => config.control.group],
  ["control.mode", "restart", (config) => config.control.mode],
  ["netlink.transport", "restart", (config) => config.netlink.transport],
  ["netlink.rx-buffer", "restart", (config) => config.netlink.rxBufferBytes],
  ["graceful-restart", "restart", (config) => config.gracefulRestart],
  ["safety", "now", (config) => config.safety],
];

function settingChanges(before: KrtConfig, after: KrtConfig): SettingChange[] {
  return SETTINGS.filter(([, , of]) => JSON.stringify(of(before)) !== JSON.stringify(of(after))).map(
    ([key, effect]) => ({ key, effect }),
  );
}
