#!/usr/bin/env -S node --max-semi-space-size=4
/*
 * Launches krtd. The size of libuv's thread pool must stand in the environment before the pool is first used,
 * and Node loads ES modules through that very pool: so this folder is CommonJS, which is read without it. What a walk
 * over a table makes lives for an instant: with 4 MiB a half for it, not 16, krtd is as fast and 10 MB smaller. Node
 * takes that from its command line only, so the unit and npm start say it too.
 */
"use strict";

const { existsSync } = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");
const { setFlagsFromString } = require("node:v8");

process.env.UV_THREADPOOL_SIZE ??= "8";

// V8 compiles a function anew, faster, when it has run for a while, in a thread that takes the processor from this one
// for milliseconds where there are but two. Loops over a table are compiled all the same; what runs once for a request
// can wait ten times longer: one reload in a hundred took 8 ms for that reason, and takes 5.
setFlagsFromString("--interrupt-budget=660000");

const main = join(__dirname, "..", "dist", "main.js");
if (existsSync(main)) {
  import(pathToFileURL(main).href).then((krtd) => krtd.main(process.argv.slice(2)));
} else {
  process.stderr.write(
    `krtd: Cannot start: ${main} does not exist, krtd is not built yet. Run "npm run build" first.\n`,
  );
  process.exitCode = 1;
}
