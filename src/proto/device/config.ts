/** What the device protocol needs to be told: the typed form of `device:` in krt.yaml. */

export interface DeviceConfig {
  /** Milliseconds between two full scans of links and addresses; 0: at start and on demand only. */
  readonly scanTimeMs: number;
  /** An interface without any address counts as down (off by default: unnumbered links are common). */
  readonly requireAddress: boolean;
}
