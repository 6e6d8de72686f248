#!/usr/bin/env node
/*
 * Launches krtd. The size of libuv's thread pool must stand in the environment before the pool is first used,
 * and Node loads ES modules through that very pool: so this folder is CommonJS, which is read without it.
 */
"use strict";

const { existsSync } = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

process.env.UV_THREADPOOL_SIZE ??= "8";

const main = join(__dirname, "..", "dist", "main.js");
if (existsSync(main)) {
  import(pathToFileURL(main).href).then((krtd) => krtd.main(process.argv.slice(2)));
} else {
  process.stderr.write(
    `krtd: Cannot start: ${main} does not exist, krtd is not built yet. Run "npm run build" first.\n`,
  );
  process.exitCode = 1;
}
