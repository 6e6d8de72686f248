/**
 * krt.yaml after every check: what the rest of krtd works with. Units are in the names, defaults are filled in,
 * names are resolved. Types only.
 */

import type { Family, IpAddress } from "../lib/ip.ts";
import type { LogLevel } from "../lib/log.ts";
import type { DeviceConfig } from "../proto/device/config.ts";
import type { DirectConfig } from "../proto/direct/config.ts";
import type { KernelConfig, SafetyConfig } from "../proto/kernel/config.ts";
import type { PipeConfig } from "../proto/pipe/config.ts";
import type { StaticConfig } from "../proto/static/config.ts";

/** auto: journal prefixes under systemd, pretty on a terminal, JSON otherwise. */
export type LogFormat = "auto" | "json" | "pretty" | "journal";

export interface TableConfig {
  readonly name: string;
  readonly family: Family;
  /** Network namespace its routes' interfaces belong to: that of its kernel protocol; null: the daemon's own. */
  readonly netns: string | null;
}

export interface KrtConfig {
  /** The file it was read from, as given. */
  readonly file: string;
  /** An IPv4 address, or null: not set. */
  readonly routerId: IpAddress | null;
  /** rtm_protocol of krtd's routes, 5–255. */
  readonly protocolId: number;
  /** Numbers krtd's routes had before: such routes in the kernel are taken for ours, and never learned. */
  readonly formerProtocolIds: readonly number[];
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  readonly control: {
    /** Path of the control socket, or null: the default for this user. */
    readonly socket: string | null;
    /** Group that owns the socket, or null: the process's own. */
    readonly group: string | null;
    /** Permission bits of the socket, 0–0o777. */
    readonly mode: number;
  };
  readonly netlink: { readonly transport: "socket" | "node-netlink"; readonly rxBufferBytes: number };
  /** master4 and master6 first, then as written. */
  readonly tables: readonly TableConfig[];
  readonly device: DeviceConfig;
  readonly kernels: readonly KernelConfig[];
  readonly statics: readonly StaticConfig[];
  readonly directs: readonly DirectConfig[];
  readonly pipes: readonly PipeConfig[];
  /** After a start nothing is deleted before every source has fed, or the wait is over. */
  readonly gracefulRestart: { readonly enabled: boolean; readonly waitMs: number };
  readonly safety: SafetyConfig;
}
