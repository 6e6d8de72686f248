/**
 * Compiles a few source files for tests that need real processes: Node 20 does not run TypeScript. What it
 * makes lies in a temporary directory that finds the installed packages.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Compiled {
  /** Where src/x/y.ts became x/y.js, or from the root x/y.ts x/y.js. */
  readonly directory: string;
  remove(): void;
}

/** `files` are relative to src, or to the root; what they import comes along. */
export function compileSource(files: readonly string[], from: "src" | "." = "src"): Compiled {
  const directory = mkdtempSync(join(tmpdir(), "krtd-compiled-"));
  const config = join(directory, "tsconfig.json");
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(ROOT, "tsconfig.build.json"),
      compilerOptions: {
        outDir: directory,
        rootDir: join(ROOT, from),
        sourceMap: false,
        typeRoots: [join(ROOT, "node_modules/@types")],
      },
      include: [],
      files: files.map((file) => join(ROOT, from, file)),
    }),
  );
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", config]);
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
