/*
 * Makes a clone runnable: checks Node, installs the dependencies of package-lock.json, builds dist, links the
 * commands where npx finds them. Each step is skipped when its result is already there, so that it costs
 * nothing to call it always; nothing is printed then. Plain JavaScript without dependencies, because it runs
 * before there are any. What is up to date is judged by content, never by file times: a checkout changes those.
 *
 *   npm run build   this file      npm start   start.js      npm test   test.js
 */
"use strict";

const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");
const modules = path.join(root, "node_modules");
const dist = path.join(root, "dist");
const minimumNode = [20, 19];

/** Ends the process with one clear sentence (and the output that led to it, before). */
function fail(message, output = "") {
  if (output.trim() !== "") process.stderr.write(`${output.trimEnd()}\n`);
  process.stderr.write(`krtd: ${message}\n`);
  process.exit(1);
}

function say(message) {
  process.stderr.write(`krtd: ${message}\n`);
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > minimumNode[0] || (major === minimumNode[0] && minor >= minimumNode[1])) return;
  fail(`Cannot run on Node ${process.versions.node}: krtd needs Node ${minimumNode.join(".")} or newer.`);
}

/** True when every package of the lock file is installed in that version. Optional ones may be absent. */
function installed() {
  const lock = readJson(path.join(root, "package-lock.json"));
  if (lock === null) fail("Cannot read package-lock.json: the clone is not complete.");
  const present = readJson(path.join(modules, ".package-lock.json"))?.packages;
  if (present === undefined) return false;
  return Object.entries(lock.packages).every(([where, wanted]) => {
    if (where === "") return true;
    const found = present[where];
    return found === undefined ? wanted.optional === true : found.version === wanted.version;
  });
}

/** node-gyp fetches Node's headers from the network, unless it is shown those that came with this Node. */
function compilerEnvironment() {
  const prefix = path.dirname(path.dirname(process.execPath));
  const headers = fs.existsSync(path.join(prefix, "include", "node", "node_api.h"));
  return headers ? { ...process.env, npm_config_nodedir: prefix } : process.env;
}

function install() {
  if (installed()) return;
  say("installing dependencies (npm ci) ...");
  const npm = process.env.npm_execpath?.endsWith(".js")
    ? [process.execPath, process.env.npm_execpath]
    : ["npm"];
  const args = [...npm.slice(1), "ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const stdio = ["ignore", "pipe", "pipe"];
  const done = spawnSync(npm[0], args, { cwd: root, encoding: "utf8", env: compilerEnvironment(), stdio });
  if (done.error !== undefined) fail(`Cannot run npm: ${done.error.message}.`);
  if (done.status === 0) return;
  const output = done.stdout + done.stderr;
  const network = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b/.exec(
    output,
  );
  if (network === null) fail(`Cannot install the dependencies: npm ci ended with ${done.status}.`, output);
  fail(
    `Cannot install the dependencies: the package registry is not reachable (${network[1]}). ` +
      'Check the network, or name another registry with "npm config set registry URL", and run this again.',
    output,
  );
}

/** A hash of all that dist is made of. */
function sourceStamp() {
  const hash = createHash("sha256");
  const inputs = ["tsconfig.json", "tsconfig.build.json", "package-lock.json"];
  for (const entry of fs.readdirSync(path.join(root, "src"), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) inputs.push(path.relative(root, path.join(entry.parentPath, entry.name)));
  }
  for (const file of inputs.sort()) {
    const text = fs.readFileSync(path.join(root, file));
    hash.update(`${file}\0${text.length}\0`).update(text);
  }
  return hash.digest("hex");
}

/** Compiles beside dist and swaps at the end: a failed build leaves the old one, and nobody sees half of one. */
function build() {
  const stamp = sourceStamp();
  if (readJson(path.join(dist, ".stamp.json"))?.source === stamp) return;
  say("building (tsc) ...");
  const fresh = path.join(root, `dist.${process.pid}`);
  const tsc = path.join(modules, "typescript", "bin", "tsc");
  const args = [tsc, "-p", "tsconfig.build.json", "--outDir", fresh];
  const done = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (done.status !== 0) {
    fs.rmSync(fresh, { recursive: true, force: true });
    fail(
      "Cannot build krtd: the compiler reports the errors above.",
      (done.stdout ?? "") + (done.stderr ?? ""),
    );
  }
  fs.writeFileSync(path.join(fresh, ".stamp.json"), `${JSON.stringify({ source: stamp })}\n`);
  fs.rmSync(dist, { recursive: true, force: true });
  fs.renameSync(fresh, dist);
}

/** npx looks into node_modules/.bin, where npm links the commands of dependencies but not those of the package itself. */
function linkCommands() {
  const commands = readJson(path.join(root, "package.json")).bin;
  for (const [name, file] of Object.entries(commands)) {
    const link = path.join(modules, ".bin", name);
    if (fs.existsSync(link) || !fs.existsSync(path.join(root, file))) continue;
    fs.rmSync(link, { force: true });
    fs.symlinkSync(path.join("..", "..", file), link);
  }
}

/** After "sudo npm start" in a user's clone, what was made here must not belong to root. */
function giveBack() {
  const owner = fs.statSync(root);
  if (process.getuid() !== 0 || owner.uid === 0) return;
  const foreign = [modules, dist].filter((folder) => fs.statSync(folder).uid !== owner.uid);
  if (foreign.length > 0) spawnSync("chown", ["-R", "-h", "-P", `${owner.uid}:${owner.gid}`, ...foreign]);
}

function setUp() {
  checkNode();
  install();
  build();
  linkCommands();
  giveBack();
}

module.exports = { fail, root, setUp };

if (require.main === module) setUp();
