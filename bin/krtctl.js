#!/usr/bin/env -S node --max-semi-space-size=4
/*
 * Launches krtctl. CommonJS like its neighbours: see krtd.js. What a long list is made of lives for an instant, and Node
 * would let 48 MiB of it come together before it looks; with 4 MiB a half it is as fast.
 */
"use strict";

const { existsSync } = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

const main = join(__dirname, "..", "dist", "cli", "krtctl.js");
if (existsSync(main)) {
  import(pathToFileURL(main).href);
} else {
  process.stderr.write(
    `krtctl: Cannot start: ${main} does not exist, krtd is not built yet. Run "npm run build" first.\n`,
  );
  process.exitCode = 1;
}
