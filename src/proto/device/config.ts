/** What the device protocol needs to be told: the typed form of `device:` in krt.yaml. */

import type { IpAddress } from "../../lib/ip.ts";

export interface DeviceConfig {
  /** Milliseconds between two full scans of links and addresses; 0: at start and on demand only. */
  readonly scanTimeMs: number;
  /** An interface without any address counts as down (off by default: unnumbered links are common). */
  readonly requireAddress: boolean;
  /** Which address of an interface is the preferred one; the first pattern that fits the name decides. */
  readonly interfaces: readonly InterfaceConfig[];
}

export interface InterfaceConfig {
  /** Of the interface's name, latin1, with * and ?. */
  readonly pattern: string;
  readonly preferred: IpAddress;
}
