/** Runs one command line of krtctl: finds the command, asks the daemon, prints, and turns failures into words. */

import { readFileSync } from "node:fs";
import { asciiJson } from "../lib/ascii-json.ts";
import { errorText, KrtdError } from "../lib/errors.ts";
import { COMMAND_ACTIONS } from "./actions.ts";
import { findCommand } from "./commands.ts";
import { escapeLines, escapeText } from "./escape.ts";
import { EXIT_OK, EXIT_USAGE, exitCodeOf, UsageError } from "./exit-code.ts";
import { helpText } from "./help.ts";
import { type CliIo, isUtf8 } from "./io.ts";
import { parseCommandLine, wantsJson } from "./options.ts";
import { Output, pagerCommand, ReaderGone } from "./output.ts";
import { choosePaint } from "./paint.ts";
import type { Session } from "./session.ts";

/** `argv` without node and script. Returns the exit code; never throws. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    const { options, words } = parseCommandLine(argv, io);
    if (options.version) return await printPlain(`krtctl ${version()}\n`, io);
    if (options.help) return await printPlain(helpText(words), io);
    if (words.length === 0) {
      io.stderr.write(helpText([]));
      return EXIT_USAGE;
    }
    const {
      command: { name },
      operands,
    } = findCommand(words);
    if (name === "help") return await printPlain(helpText(operands), io);
    if (options.keep && name !== "shutdown") throw new UsageError("--keep goes with shutdown only");
    if (options.force && name !== "configure" && name !== "reload" && name !== "scan") {
      throw new UsageError("--force goes with configure, reload and scan only");
    }
    const terminal = io.stdout.isTTY === true;
    const session: Session = {
      options,
      operands,
      directory: io.directory,
      remark: (text) => {
        if (io.stderr.isTTY === true) io.stderr.write(`krtctl: ${text}\n`);
      },
      style: {
        paint: choosePaint(options.color, io),
        terminal,
        unicode: terminal && isUtf8(io),
        numeric: options.numeric,
        now: io.now,
      },
    };
    const paged = terminal && options.pager && options.format === "text" && name.startsWith("show");
    return await withOutput(io, paged, (output) => COMMAND_ACTIONS[name](session, output));
  } catch (error) {
    return report(error, wantsJson(argv), io);
  }
}

async function printPlain(text: string, io: CliIo): Promise<number> {
  return await withOutput(io, false, async (output) => {
    await output.write(text);
    return EXIT_OK;
  });
}

async function withOutput(
  io: CliIo,
  paged: boolean,
  act: (output: Output) => Promise<number>,
): Promise<number> {
  const output = new Output(io, paged ? pagerCommand(io) : null);
  let code = EXIT_OK;
  let failure: unknown = null;
  try {
    code = await act(output);
  } catch (error) {
    failure = error;
  }
  // First let the pager be left: what went wrong should stay readable.
  await output.close();
  if (failure === null) return code;
  if (failure instanceof ReaderGone) return EXIT_OK;
  if (!output.used) throw failure;
  // Part of the answer is out already: an object after it would not be JSON any more.
  return report(failure, false, io);
}

/** Prints the error, to a person or to a program, and returns the exit code. */
function report(error: unknown, json: boolean, io: CliIo): number {
  const code = error instanceof KrtdError ? error.code : "internal";
  const message = errorText(error);
  const hint = error instanceof KrtdError ? error.hint : null;
  if (json) {
    io.stdout.write(`${asciiJson(JSON.stringify({ error: { code, message, hint } }))}\n`);
  } else {
    const lines =
      code === "bad-config"
        ? escapeLines(message)
        : `krtctl: ${code === "cannot-reload" ? escapeLines(message) : escapeText(message)}`;
    io.stderr.write(`${lines}\n${hint === null ? "" : `  ${escapeText(hint)}\n`}`);
  }
  return exitCodeOf(error);
}

/** That of the package: both src/cli and dist/cli are two levels below it. */
function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
