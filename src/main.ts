/**
 * The process krtd: command line, exit codes, signals. It is the composition root: it opens what the daemon
 * runs on (configuration, log, netlink, locks, control socket, service manager) and hands it in.
 *
 * Exit codes: 0 stopped as asked · 1 cannot start or must give up · 2 wrong usage · 4 bad configuration ·
 * 7 no CAP_NET_ADMIN.
 */

import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import type { KrtConfig } from "./config/config.ts";
import { renderProblems } from "./config/problems.ts";
import { type ConfigReader, configReader } from "./config/reader.ts";
import { infoOf } from "./control/absence.ts";
import { lockDirectory } from "./control/lock.ts";
import { type ControlServer, startControl } from "./control/server.ts";
import { defaultSocketPath } from "./control/socket-path.ts";
import { Daemon } from "./daemon/daemon.ts";
import { systemClock } from "./lib/clock.ts";
import { errorText, KrtdError } from "./lib/errors.ts";
import type { Log, LogLevel } from "./lib/log.ts";
import { createLog, guardStandardStreams } from "./lib/pino-log.ts";
import { AttrsTable } from "./nest/attrs.ts";
import { tryFlock } from "./sysdep/linux/flock.ts";
import type { OpenNetlinkSocket } from "./sysdep/linux/netlink/socket.ts";
import { linuxOsProvider } from "./sysdep/linux/provider.ts";
import { openServiceNotifier, type ServiceNotifier } from "./sysdep/linux/sd-notify.ts";
import type { Os } from "./sysdep/os.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_CONFIG = 4;
const EXIT_PRIVILEGE = 7;

const NO_PRIVILEGE =
  "krtd: Cannot change kernel routes: this process lacks CAP_NET_ADMIN. Run it as root (sudo npm start), " +
  "give its service AmbientCapabilities=CAP_NET_ADMIN, or only look with --observe (npm start -- --observe).";

/** A stop that hangs must not hang for ever: after this the process ends with what is done. */
const STOP_LIMIT_MS = 60_000;

/** What a start may take beside the wait of graceful restart. */
const START_MARGIN_MS = 120_000;

interface Arguments {
  readonly config: string;
  readonly check: boolean;
  readonly observe: boolean;
  readonly socket: string | undefined;
  readonly logLevel: LogLevel | undefined;
  readonly stateDirectory: string | undefined;
}

function version(): string {
  const file = new URL("../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** The parsed command line, or the exit code to end with. */
function parseArguments(argv: readonly string[]): Arguments | number {
  const command = new Command("krtd")
    .description("Keeps a table of wanted routes and the kernel's routing tables the same.")
    .requiredOption("-c, --config <file>", "the configuration, krt.yaml")
    .option("--check", "report every error of the configuration and exit", false)
    .option("--observe", "never write to the kernel; needs no privilege", false)
    .option("--socket <path>", "control socket")
    .option("--state-directory <path>", "directory only one krtd may use (default: $STATE_DIRECTORY)")
    .addOption(new Option("--log-level <level>", "log level").choices(["error", "warn", "info", "debug"]))
    .version(`krtd ${version()}`, "--version")
    .allowExcessArguments(false)
    .exitOverride();
  try {
    return command.parse(argv, { from: "user" }).opts<Arguments>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
}

function fail(message: string, code: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

/** "krtd: Cannot …: why. What to do." */
function explain(error: unknown): string {
  if (error instanceof KrtdError)
    return `krtd: ${error.message}.${error.hint === null ? "" : ` ${error.hint}`}`;
  return `krtd: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function checkedSummary(config: KrtConfig): string {
  const routes = config.statics.reduce((sum, { routes: set }) => sum + set.count, 0);
  const { kernels, statics, directs, pipes } = config;
  const protocols = 1 + kernels.length + statics.length + directs.length + pipes.length;
  return `${config.file}: good: ${protocols} protocols, ${config.tables.length} tables, ${routes} static routes\n`;
}

/**
 * Runs krtd until it is told to end; the process exits with one of the codes above. `openSocket` opens every
 * netlink socket of it: one that says what is sent, say.
 */
export async function main(argv: readonly string[], openSocket?: OpenNetlinkSocket): Promise<void> {
  try {
    await start(argv, openSocket);
  } catch (error) {
    fail(explain(error), EXIT_FAILED);
  }
}

async function start(argv: readonly string[], openSocket: OpenNetlinkSocket | undefined): Promise<void> {
  guardStandardStreams();
  const parsed = parseArguments(argv);
  if (typeof parsed === "number") process.exit(parsed);
  const reader = configReader();
  const loaded = await reader.load(parsed.config);
  if (!loaded.ok) fail(renderProblems(loaded.problems), EXIT_CONFIG);
  if (parsed.check) {
    process.stdout.write(checkedSummary(loaded.config));
    return;
  }
  await run(parsed, loaded.config, reader, openSocket);
}

async function run(
  parsed: Arguments,
  config: KrtConfig,
  reader: ConfigReader,
  openSocket: OpenNetlinkSocket | undefined,
): Promise<void> {
  const log = createLog({ level: parsed.logLevel ?? config.log.level, format: config.log.format });
  const attrs = new AttrsTable();
  const provider = linuxOsProvider({ ...config.netlink, openSocket, attrs, log, clock: systemClock });
  const os = provider.create(null);
  await os.open();
  if (!parsed.observe && !(await os.mayWrite())) {
    await os.close();
    fail(NO_PRIVILEGE, EXIT_PRIVILEGE);
  }
  const stateDirectory = parsed.stateDirectory ?? process.env["STATE_DIRECTORY"];
  const lock = stateDirectory ? lockDirectory(stateDirectory, tryFlock) : null;
  const notifier = openServiceNotifier({ env: process.env, log });

  let control: ControlServer | null = null;
  let exitCode = 0;
  /** Whether anything may be written is being asked. */
  let asking = false;
  let stopped: Promise<void> | null = null;
  /** The first reason counts: a second signal must not run a second stop beside the first. */
  const stop = (keep: boolean, reason: string): Promise<void> => {
    stopped ??= stopOnce(keep, reason);
    return stopped;
  };
  const stopOnce = async (keep: boolean, reason: string): Promise<void> => {
    log.info("stopping", { reason, keep });
    notifier.stopping(`Stopping: ${reason}`);
    setTimeout(() => fail("krtd: Cannot stop in time: giving up", EXIT_FAILED), STOP_LIMIT_MS).unref();
    await daemon.stop({ keep });
    await control?.close();
    await os.close();
    lock?.release();
    log.info("stopped");
    notifier.close();
    process.exit(exitCode);
  };
  const daemon = new Daemon({
    config,
    reader,
    version: version(),
    os,
    provider,
    attrs,
    onConfig: (next) => log.setLevel(parsed.logLevel ?? next.log.level),
    observe: parsed.observe,
    clock: systemClock,
    log,
    async onFatal(message) {
      // One write may be refused for reasons of its own: the question is whether all would be.
      if (exitCode !== 0 || asking) return;
      asking = true;
      const allowed = await os.mayWrite();
      asking = false;
      if (allowed) return;
      exitCode = EXIT_PRIVILEGE;
      log.error("the kernel refuses writes", { answer: message, hint: "krtd needs CAP_NET_ADMIN" });
      void stop(true, "no privilege");
    },
    onShutdown: ({ keep }) => void stop(keep, "krtctl shutdown"),
  });
  handleSignals(log, notifier, daemon, stop);
  control = await listen(parsed, config, daemon, log);
  log.info("krtd starts", {
    version: version(),
    config: config.file,
    socket: control.path,
    observe: parsed.observe,
  });
  const { enabled, waitMs } = config.gracefulRestart;
  // The first sync may take as long as the sources of routes are waited for: the manager is not to lose patience.
  if (enabled) notifier.extendTimeout(waitMs + START_MARGIN_MS);
  await daemon.start();
  void daemon.firstSync.then(() => announceReady(notifier, log, os));
  notifier.feedWatchdog(systemClock);
}

function announceReady(notifier: ServiceNotifier, log: Log, os: Os): void {
  log.info("in sync", { writes: os.counters.routeWrites });
  notifier.ready("In sync with the kernel");
}

function handleSignals(
  log: Log,
  notifier: ServiceNotifier,
  daemon: Daemon,
  stop: (keep: boolean, reason: string) => Promise<void>,
): void {
  process.on("SIGTERM", () => void stop(false, "SIGTERM"));
  process.on("SIGINT", () => void stop(false, "SIGINT"));
  process.on("SIGHUP", () => {
    notifier.reloading();
    void daemon.configuration
      .configure({ file: null, mode: "apply", undoAfterMs: null })
      .catch((error: unknown) => log.error("reconfiguring failed", { error: errorText(error) }))
      // Before the first sync the service is not ready, reload or no reload.
      .finally(() => void daemon.firstSync.then(() => notifier.ready("In sync with the kernel")));
  });
  process.on("SIGUSR1", () => {
    const protocols = daemon.backend.protocols().map((entry) => ({
      name: entry.protocol.name,
      state: entry.state,
      info: infoOf(entry),
      kernel: entry.protocol.kernel?.report(),
    }));
    log.info("state", { status: daemon.backend.status(), protocols });
  });
}

/** Opens the control socket where the command line, the configuration or the default says. */
function listen(parsed: Arguments, config: KrtConfig, daemon: Daemon, log: Log): Promise<ControlServer> {
  const chosen = parsed.socket ?? config.control.socket;
  const standard = defaultSocketPath(process.getuid?.() ?? 0, process.env);
  const path = chosen ?? standard;
  if (path === null) {
    throw new KrtdError("socket-path", "Cannot choose a control socket: XDG_RUNTIME_DIR is not set", {
      hint: "Name one with --socket PATH or control.socket.",
    });
  }
  const { group, mode } = config.control;
  return startControl({
    backend: daemon.backend,
    clock: systemClock,
    log,
    listen: { path, mode, group, createParent: path === standard, tryFlock },
  });
}
