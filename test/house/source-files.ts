/** Reads the TypeScript files of a top-level folder. What is asked for must exist: a test that read nothing proves nothing. */

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** The root of the repository. */
export const root: string = join(import.meta.dirname, "..", "..");

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** All *.ts files under `folder` (relative to the root), sorted by path. Throws when there are none. */
export function sourceFiles(folder: string): SourceFile[] {
  const files = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  if (files.length === 0) throw new Error(`Cannot check ${folder}: it holds no TypeScript file`);
  return files.map((file) => ({ path: relative(root, file), text: readFileSync(file, "utf8") }));
}
