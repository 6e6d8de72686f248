/*
 * npm test: sets the clone up, runs every test (or those named: npm test -- test/lib), and ends with the plain
 * line "tests: N passed, N failed", whatever happened: a run that crashed, failed to load a file or skipped a
 * test counts at least one failure. The line is also left in $KRTD_TEST_SUMMARY, if set, for .ci/run.
 *
 * Live tests build network namespaces, so they need root. Without it the run moves into a user namespace,
 * where the kernel gives the same rights over nothing but that namespace.
 */
"use strict";

const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { fail, root, setUp } = require("./setup.js");

const words = process.argv.slice(2);

/** CAP_NET_ADMIN (12) and CAP_SYS_ADMIN (21): for links and routes, and for the namespaces themselves. */
function privileged() {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(fs.readFileSync("/proc/self/status", "utf8"));
  const needed = (1n << 12n) | (1n << 21n);
  return effective !== null && (BigInt(`0x${effective[1]}`) & needed) === needed;
}

/** Arguments that put a command into namespaces of its own with a private /run, or null where that is forbidden. */
function userNamespace() {
  const unshare = ["--map-root-user", "--map-auto", "--net", "--mount", "--", "sh", "-c"];
  const prepare = "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up";
  const probe = spawnSync("unshare", [...unshare, prepare], { stdio: "ignore" });
  return probe.status === 0 ? [...unshare, `${prepare} && exec "$@"`, "sh"] : null;
}

function readReport(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

/** What the run amounts to. `code` is vitest's exit code, null when a signal ended it. */
function summarise(report, code) {
  const passed = report?.numPassedTests ?? 0;
  let failed = report?.numFailedTests ?? 0;
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  if (skipped > 0 && words.length === 0) {
    process.stderr.write(`krtd: ${skipped} tests were skipped, which counts as failure.\n`);
    failed += skipped;
  }
  if (failed === 0 && (code !== 0 || report === null || passed === 0)) failed = 1;
  return { line: `tests: ${passed} passed, ${failed} failed`, failed };
}

setUp();

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "krtd-test-"));
const reportFile = path.join(scratch, "report.json");
const command = [process.execPath, path.join(root, "node_modules", "vitest", "vitest.mjs"), "run"];
command.push("--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`, ...words);

if (spawnSync("ip", ["-V"], { stdio: "ignore" }).error !== undefined) {
  fail("Cannot run the live tests: iproute2's ip is not installed.");
}
if (!privileged()) {
  const inside = userNamespace();
  if (inside === null) {
    fail(
      'Cannot run the live tests: they build network namespaces, which needs root. Run "sudo npm test", ' +
        'or only what needs no privilege: "npm test -- --project unit".',
    );
  }
  command.unshift("unshare", ...inside);
}

const run = spawn(command[0], command.slice(1), { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => run.kill(signal));
run.on("close", (code) => {
  const { line, failed } = summarise(readReport(reportFile), code);
  fs.rmSync(scratch, { recursive: true, force: true });
  if (process.env.KRTD_TEST_SUMMARY) fs.writeFileSync(process.env.KRTD_TEST_SUMMARY, `${line}\n`);
  process.stdout.write(`${line}\n`);
  process.exitCode = failed > 0 ? 1 : 0;
});
