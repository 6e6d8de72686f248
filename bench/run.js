/*
 * npm run bench: sets the clone up, compiles bench/ to JavaScript (Node 20 runs no TypeScript) into
 * bench/results/.build, which is not in git, and runs it there: below the root, so that it finds node_modules.
 */

import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import setup from "../bin/setup.js";

const { root, setUp, fail } = setup;

setUp();
const build = join(root, "bench", "results", ".build");
rmSync(build, { recursive: true, force: true });
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
const done = spawnSync(process.execPath, [tsc, "-p", join(root, "bench"), "--outDir", build], {
  encoding: "utf8",
});
const main = join(build, "bench", "main.js");
if (done.status !== 0 || !existsSync(main)) fail("Cannot build the benchmark.", done.stdout + done.stderr);
await import(main);
