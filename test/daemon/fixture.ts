/**
 * The whole daemon on a model kernel with a fake clock: d0 (10.0.0.1/24, 2001:db8:0:1::1/64) and d1 (10.1.0.1/24,
 * 2001:db8:0:2::1/64), configurations as plain values in a directory of their own. What happens to routes is read
 * from the kernel and from the journal of what was sent to it.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KrtConfig } from "../../src/config/config.ts";
import type { KrtInput } from "../../src/config/input.ts";
import { type LoadedConfig, loadConfig, renderProblems } from "../../src/config/load.ts";
import type { ConfigureRequest, ConfigureResult } from "../../src/control/backend.ts";
import { Daemon } from "../../src/daemon/daemon.ts";
import { formatAddress } from "../../src/lib/ip.ts";
import type { Log, LogFields, LogLevel } from "../../src/lib/log.ts";
import { formatPrefix } from "../../src/lib/prefix.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { ModelKernel, type ModelOs, modelOsProvider, type RouteView } from "../../src/sysdep/model/index.ts";
import type { JournalEntry } from "../../src/sysdep/model/os.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { modelIpAll } from "../support/model-ip.ts";

const UNIVERSE = [
  "link add d0 type ifb",
  "link add d1 type ifb",
  "link set d0 up",
  "link set d1 up",
  "addr add 10.0.0.1/24 dev d0",
  "addr add 10.1.0.1/24 dev d1",
  "addr add 2001:db8:0:1::1/64 dev d0 nodad",
  "addr add 2001:db8:0:2::1/64 dev d1 nodad",
];

/** What krtd may have written into a kernel table in a test. */
const OWN_PROTOCOLS: readonly number[] = [120, 121];
/** Rounds of 100 ms: nothing that a test asks for takes longer. */
const PATIENCE = 1000;

export interface LogRecord {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

export interface ModelDaemon extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly kernel: ModelKernel;
  readonly clock: FakeClock;
  readonly attrs: AttrsTable;
  readonly journal: JournalEntry[];
  readonly logged: LogRecord[];
  /** The configuration file it was started with. */
  readonly file: string;
  readonly directory: string;
  readonly os: ModelOs;
  /** Writes a configuration, or whatever the text is, over that file or another one; returns its path. */
  write(input: KrtInput | string, name?: string): Promise<string>;
  /** From now on a configuration takes so long to read, by the fake clock. */
  readingTakes(ms: number): void;
  /** Writes it over that file and applies it; then waits until the kernel is in sync. */
  configure(input: KrtInput, request?: Partial<ConfigureRequest>): Promise<ConfigureResult>;
  /** Lets the clock run until the promise settles. */
  during<T>(promise: Promise<T>): Promise<T>;
  /** Lets the clock run until nothing is left to write. */
  synced(): Promise<void>;
  /** Routes of krtd in the kernel, sorted: "254 10.1.0.0/16 metric 32 proto 120 unicast via 10.0.0.2 dev 2". */
  own(): string[];
  /** Everybody else's. */
  foreign(): string[];
  /** What was sent since the last call: "add 254 10.1.0.0/16 metric 32". */
  writes(): string[];
  stop(): Promise<void>;
}

export interface ModelDaemonOptions {
  /** `ip` commands: what is done to the kernel before krtd starts. */
  readonly before?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  /** Starts with this, whatever the file says. */
  readonly config?: KrtConfig;
}

export async function startDaemon(input: KrtInput, options: ModelDaemonOptions = {}): Promise<ModelDaemon> {
  const directory = await mkdtemp(join(tmpdir(), "krtd-daemon-"));
  const file = join(directory, "krt.yaml");
  const clock = new FakeClock();
  // Read when it is written: real files are slower than any fake clock.
  const files = new Map<string, LoadedConfig>();
  const write = async (config: KrtInput | string, name = "krt.yaml"): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, typeof config === "string" ? config : JSON.stringify(config, null, 1));
    files.set(path, await loadConfig(path));
    return path;
  };
  let readingMs = 0;
  const load = async (path: string): Promise<LoadedConfig> => {
    if (readingMs > 0) await new Promise<void>((resolve) => void clock.after(readingMs, resolve));
    return files.get(path)!;
  };
  await write(input);
  for (const [name, text] of Object.entries(options.files ?? {}))
    await writeFile(join(directory, name), text);
  const config = options.config ?? checked(await load(file));
  const kernel = new ModelKernel();
  modelIpAll(kernel, [...UNIVERSE, ...(options.before ?? [])]);
  const attrs = new AttrsTable();
  const provider = modelOsProvider(attrs, [[null, kernel]]);
  const os = provider.create(null);
  await os.open();
  const logged: LogRecord[] = [];
  const daemon = new Daemon({
    config,
    version: "test",
    os,
    provider,
    attrs,
    observe: false,
    clock,
    log: recorder(logged),
    onConfig: () => {},
    onFatal: (message) => {
      throw new Error(message);
    },
    onShutdown: () => {},
    reader: {
      load,
      async loadStatic(path, name) {
        const all = await load(path);
        if (!all.ok) return all;
        return { ok: true, config: all.config.statics.find((one) => one.name === name) ?? null };
      },
    },
  });
  const during = async <T>(promise: Promise<T>): Promise<T> => {
    let pending = true;
    const end = (): void => {
      pending = false;
    };
    promise.then(end, end);
    for (let round = 0; pending; round++) {
      if (round > PATIENCE) throw new Error("It never ends");
      await clock.advance(round < 5 ? 0 : 100);
    }
    return promise;
  };
  const synced = async (): Promise<void> => {
    for (let round = 0; ; round++) {
      // Scans that events asked for come 50 ms later.
      await clock.advance(100);
      if (round >= 2 && daemon.backend.status().state === "in-sync") return;
      if (round > PATIENCE) throw new Error(`It is ${daemon.backend.status().state} for ever`);
    }
  };
  const lines = (own: boolean): string[] =>
    ([4, 6] as const)
      .flatMap((family) => kernel.routes(family))
      .filter(({ protocol }) => protocol !== 2 && OWN_PROTOCOLS.includes(protocol) === own)
      .map(routeLine)
      .sort();
  let stopped: Promise<void> | null = null;
  const end = async (): Promise<void> => {
    await during(daemon.stop({ keep: false }));
    await os.close();
    await rm(directory, { recursive: true });
  };
  const stop = (): Promise<void> => {
    stopped ??= end();
    return stopped;
  };
  const started: ModelDaemon = {
    daemon,
    kernel,
    os,
    clock,
    attrs,
    journal: os.journal,
    logged,
    file,
    directory,
    write,
    readingTakes(ms) {
      readingMs = ms;
    },
    during,
    synced,
    stop,
    async configure(config, request) {
      await write(config);
      const result = await during(
        daemon.configuration.configure({ file, mode: "apply", undoAfterMs: null, ...request }),
      );
      await synced();
      return result;
    },
    own: () => lines(true),
    foreign: () => lines(false),
    writes() {
      return os.journal
        .splice(0)
        .map(
          ({ op, table, prefix, metric, errno }) =>
            `${op} ${table} ${prefix} metric ${metric}${errno === 0 ? "" : ` !${errno}`}`,
        );
    },
    [Symbol.asyncDispose]: stop,
  };
  try {
    await during(daemon.start());
    await synced();
  } catch (error) {
    await stop();
    throw error;
  }
  return started;
}

function checked(loaded: LoadedConfig): KrtConfig {
  if (!loaded.ok) throw new Error(renderProblems(loaded.problems));
  return loaded.config;
}

function routeLine({ table, prefix, metric, protocol, type, nexthops, prefsrc, metrics }: RouteView): string {
  const { family, w0, w1, w2, w3, length } = prefix;
  const hops = nexthops.map(
    ({ gateway, device, weight, onlink }) =>
      `${gateway === null ? "" : ` via ${formatAddress(gateway)}`} dev ${device} weight ${weight}${onlink ? " onlink" : ""}`,
  );
  const source = prefsrc === null ? "" : ` src ${formatAddress(prefsrc)}`;
  const more = [...metrics].map(([key, value]) => ` ${key}=${value}`).join("");
  const net = formatPrefix(family, w0, w1, w2, w3, length);
  return `${table} ${net} metric ${metric} proto ${protocol} type ${type}${hops.join("")}${source}${more}`;
}

function recorder(records: LogRecord[]): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      void records.push({ level, message, fields });
  const log: Log = {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: () => {},
    enabled: (level) => level !== "debug",
    child: () => log,
  };
  return log;
}
