#!/usr/bin/env node
/* Launches krtctl. CommonJS like its neighbours: see krtd.js. */
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
