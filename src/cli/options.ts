/**
 * Global options, read by commander wherever they stand; what is left are the words of the command. Words may be
 * abbreviated, so they are not commander's commands but matched in commands.ts.
 */

import { Command, CommanderError, Option } from "commander";
import { defaultSocketPath } from "../control/socket-path.ts";
import { parseDuration } from "../lib/duration.ts";
import { UsageError } from "./exit-code.ts";
import type { CliIo } from "./io.ts";

export type ColorMode = "auto" | "always" | "never";
export type OutputFormat = "text" | "json" | "ndjson";

export interface CliOptions {
  /** Null: there is no default for this user. */
  readonly socketPath: string | null;
  readonly format: OutputFormat;
  readonly legend: boolean;
  readonly color: ColorMode;
  readonly pager: boolean;
  readonly numeric: boolean;
  readonly timeoutMs: number;
  readonly keep: boolean;
  readonly force: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

export interface CommandLine {
  readonly options: CliOptions;
  readonly words: readonly string[];
}

interface RawOptions {
  readonly socket?: string;
  readonly json?: true;
  readonly ndjson?: true;
  readonly legend: boolean;
  readonly color: ColorMode;
  readonly pager: boolean;
  readonly numeric?: true;
  readonly timeout: string;
  readonly keep?: true;
  readonly force?: true;
  readonly help?: true;
  readonly version?: true;
}

/** The commander program: also the source of the option part of the help. */
export function optionParser(): Command {
  return new Command("krtctl")
    .usage("[options] COMMAND")
    .helpOption(false)
    .argument("[words...]")
    .option("-s, --socket <path>", "control socket of krtd (env KRTD_SOCKET)")
    .option("-j, --json", "print JSON: one object, or an array for lists")
    .option("--ndjson", "print lists as one JSON object a line")
    .option("--no-legend", "print no headings and no count")
    .addOption(
      new Option("--color <when>", "colour the text: auto, always or never")
        .choices(["auto", "always", "never"] satisfies ColorMode[])
        .default("auto"),
    )
    .option("--no-pager", "never send text through a pager")
    .option("-N, --numeric", "numbers instead of names of kernel tables and protocols")
    .option("--timeout <duration>", "how long to wait for the daemon (10s)", "10s")
    .option("--keep", "shutdown: leave the routes in the kernel")
    .option("--force", "configure, reload, scan: delete however many routes it is")
    .option("-h, --help", "show this help")
    .option("-V, --version", "show the version");
}

/** `argv` without node and script. Throws UsageError. */
export function parseCommandLine(argv: readonly string[], io: CliIo): CommandLine {
  const program = optionParser()
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} });
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const [message = "", hint] = error.message.replace(/^error: /, "").split("\n");
    throw new UsageError(
      message.charAt(0).toUpperCase() + message.slice(1),
      hint === undefined ? "krtctl --help lists the options." : hint.replace(/^\(|\)$/g, ""),
    );
  }
  const raw = program.opts<RawOptions>();
  const timeoutMs = parseDuration(raw.timeout);
  if (timeoutMs === null || timeoutMs === 0) {
    throw new UsageError(`"${raw.timeout}" is not a duration`, "Give --timeout as 10s, 500ms or 2m.");
  }
  const fromEnv = io.env["KRTD_SOCKET"];
  return {
    words: program.args,
    options: {
      socketPath: raw.socket ?? (fromEnv ? fromEnv : defaultSocketPath(io.uid, io.env)),
      format: raw.ndjson === true ? "ndjson" : raw.json === true ? "json" : "text",
      legend: raw.legend,
      color: raw.color,
      pager: raw.pager,
      numeric: raw.numeric === true,
      timeoutMs,
      keep: raw.keep === true,
      force: raw.force === true,
      help: raw.help === true,
      version: raw.version === true,
    },
  };
}

/** How errors are to be printed when the command line itself cannot be read. */
export function wantsJson(argv: readonly string[]): boolean {
  return argv.some((word) => word === "--json" || word === "--ndjson" || /^-[jN]*j/.test(word));
}
