/** Puts the parts of one kernel protocol together: what each tells the others, and what they say to the log. */

import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Channel } from "../../nest/channel.ts";
import type { Interfaces } from "../../nest/iface.ts";
import type { Os } from "../../sysdep/os.ts";
import type { KernelConfig, SafetyConfig } from "./config.ts";
import { Contest } from "./contest.ts";
import type { DriftLog } from "./drift.ts";
import { ExportQueue } from "./export-queue.ts";
import type { AlienRoutes } from "./learn.ts";
import { Redirects } from "./redirects.ts";
import { failureState } from "./retry.ts";
import { RouteEvents } from "./route-events.ts";
import { Safety } from "./safety.ts";
import { ScanCycle } from "./scan-cycle.ts";
import type { OwnNumbers } from "./status.ts";
import { SyncState } from "./sync-state.ts";

export interface AssemblyOptions {
  readonly config: () => KernelConfig;
  readonly aliens: () => AlienRoutes | null;
  readonly channel: Channel;
  readonly kernelTable: number;
  readonly numbers: OwnNumbers;
  readonly writable: boolean;
  readonly safety: SafetyConfig;
  /** The first scan that may delete anything deletes all that nobody wants. */
  readonly forced: boolean;
  readonly drift: DriftLog;
  readonly os: Os;
  readonly interfaces: Interfaces;
  readonly refreshInterfaces: (maxAgeMs: number) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
  readonly onInstalled: () => void;
  readonly onOutrun: () => void;
  readonly onFatal: (message: string) => void;
  /** What is to be learned has been announced. */
  readonly onLearned: () => void;
  /** For the first time all that was wanted has been written. */
  readonly onSettled: () => void;
}

interface Parts {
  readonly state: SyncState;
  readonly queue: ExportQueue;
  readonly cycle: ScanCycle;
  readonly events: RouteEvents;
}

export function assemble(options: AssemblyOptions): Parts {
  const { numbers, clock, log, os, drift, aliens, config } = options;
  const { name } = config();
  const state = createState(options);
  const queue = new ExportQueue({
    state,
    os,
    kernelTable: options.kernelTable,
    protocolId: numbers.own,
    writable: options.writable,
    deviceName: (device) => options.interfaces.deviceName(device),
    clock,
    events: {
      verify: (reason, delayMs) => cycle.request(reason, delayMs),
      installed: options.onInstalled,
      outrun: options.onOutrun,
      fatal: options.onFatal,
    },
  });
  const cycle: ScanCycle = new ScanCycle({
    name,
    config,
    state,
    queue,
    aliens,
    os,
    numbers,
    redirects: new Redirects(),
    drift,
    refreshInterfaces: options.refreshInterfaces,
    clock,
    log,
    forced: options.forced,
    onLearned: options.onLearned,
    onSettled: () => void queue.drained().then(options.onSettled),
  });
  const events = new RouteEvents({
    name,
    state,
    queue,
    numbers,
    drift,
    aliens,
    learnsKernel: () => config().learn === "all",
    initialized: () => cycle.initialized,
    requestScan: (reason) => cycle.request(reason),
    clock,
    log,
  });
  state.contest.onRetry((nodes) => {
    for (const node of nodes) queue.push(node);
    queue.run();
  });
  return { state, queue, cycle, events };
}

function createState({ channel, config, numbers, safety, clock, log }: AssemblyOptions): SyncState {
  const { fib } = channel.table;
  const { name, metric } = config();
  const contest = new Contest(clock, (node, backoffMs) =>
    log.warn("a route is contested: somebody keeps changing it", {
      protocol: name,
      prefix: fib.formatNode(node),
      "next-try-ms": backoffMs,
    }),
  );
  return new SyncState({
    channel,
    contest,
    safety: new Safety(channel.table.family, safety),
    defaultMetric: metric,
    ownProtocol: numbers.own,
    // A broken gateway fails a million routes: the log is limited, and the prefix written only when it is used.
    onFailure: (node, failure) =>
      log.warn("route is not in the kernel", {
        protocol: name,
        get prefix() {
          return fib.formatNode(node);
        },
        state: failureState(failure.class),
        ...(failure.errno === 0 ? {} : { errno: failure.errno }),
        answer: failure.message,
      }),
  });
}
