/** What a kernel protocol runs on, and whom it tells. */

import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Interfaces } from "../../nest/iface.ts";
import type { Rtable } from "../../nest/rtable.ts";
import type { Os } from "../../sysdep/os.ts";
import type { KernelConfig, SafetyConfig } from "./config.ts";

export interface KernelOptions {
  readonly config: KernelConfig;
  readonly table: Rtable;
  readonly os: Os;
  readonly interfaces: Interfaces;
  /** Reads the interfaces again unless that was done less than `maxAgeMs` ago. */
  readonly refreshInterfaces: (maxAgeMs: number) => Promise<unknown>;
  readonly protocolId: number;
  /** Numbers krtd's routes had before: they are taken for ours. */
  readonly formerProtocolIds: readonly number[];
  /** Observe mode: nothing is ever written. */
  readonly observe: boolean;
  readonly safety: SafetyConfig;
  /** Its first scan that may delete anything deletes all that nobody wants, however much. Default: false. */
  readonly forced?: boolean;
  /**
   * The numbers of routes that an instance before this one left here: they are ours, and even one that never came to
   * scan answers for them. Absent: there was none.
   */
  readonly inherited?: readonly number[] | undefined;
  /** Asked at the start: notifications were lost, or wait, and eventsHeard() tells when that is over. Default: no. */
  readonly unheard?: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** A route came into the kernel by which other tables' gateways may be reached. */
  readonly onInstalled: () => void;
  /** Called when the kernel refuses writes for want of privilege. */
  readonly onFatal: (message: string) => void;
}
