/** Reading configurations for one process: whom it trusts is asked for each, and the last good one is remembered. */

import { LastReading } from "./last-reading.ts";
import { type LoadedConfig, type LoadedStatic, loadConfig, loadStatic } from "./load.ts";
import { trustedByProcess } from "./trust.ts";

/** Where configurations come from. */
export interface ConfigReader {
  readonly load: (file: string) => Promise<LoadedConfig>;
  /** One static protocol, with its route files. */
  readonly loadStatic: (file: string, name: string) => Promise<LoadedStatic>;
}

export function configReader(): ConfigReader {
  const last = new LastReading();
  let trusted = trustedByProcess();
  return {
    load(file) {
      trusted = trustedByProcess();
      return loadConfig(file, { trusted, last });
    },
    loadStatic: (file, name) => loadStatic(file, name, { trusted, last }),
  };
}
