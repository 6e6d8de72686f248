/** A directory with configuration files for one test file, and what loadConfig() says about them. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { KrtConfig } from "../../src/config/config.ts";
import { loadConfig, renderProblems } from "../../src/config/load.ts";

export class ConfigDir {
  readonly path: string = mkdtempSync(join(tmpdir(), "krtd-config-"));

  /** Writes a file below the directory and returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const file = join(this.path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  /** The problems of `krt` as krt.yaml, rendered, with the directory left out of the file names; "" for none. */
  async problems(krt: string | Uint8Array): Promise<string> {
    const loaded = await loadConfig(this.write("krt.yaml", krt), { iproute2Directories: [this.path] });
    return loaded.ok ? "" : renderProblems(loaded.problems).replaceAll(`${this.path}/`, "");
  }

  /** `krt` as krt.yaml, which must be right. */
  async config(krt: string): Promise<KrtConfig> {
    const loaded = await loadConfig(this.write("krt.yaml", krt), { iproute2Directories: [this.path] });
    if (!loaded.ok) throw new Error(renderProblems(loaded.problems));
    return loaded.config;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
