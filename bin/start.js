/*
 * npm start: sets the clone up, then becomes krtd, in this very process, so that signals need no forwarding.
 * Runs on config/krt.yaml unless told otherwise: npm start -- -c FILE, npm start -- --observe.
 */
"use strict";

const path = require("node:path");
const { root, setUp } = require("./setup.js");

setUp();
const words = process.argv.slice(2);
const named = words.some((word) => /^(-c|--config(=|$))/.test(word));
if (!named) words.unshift("-c", path.join(root, "config", "krt.yaml"));
process.argv = [process.argv[0], path.join(__dirname, "krtd.js"), ...words];
require("./krtd.js");
