/** The krtctl command: this process's arguments, streams and exit code. All else is in run.ts. */

import { runCli } from "./run.ts";

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  uid: process.getuid?.() ?? 0,
  directory: process.cwd(),
  now: Date.now,
});
