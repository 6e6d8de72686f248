/** GET /v1/status, put together from all parts of the daemon. */

import type { DaemonState, StatusReport } from "../control/backend.ts";
import type { Clock } from "../lib/clock.ts";
import { formatAddress } from "../lib/ip.ts";
import type { ProtoManager } from "../nest/proto-manager.ts";
import type { Rtable } from "../nest/rtable.ts";
import type { KernelProtocol } from "../proto/kernel/kernel.ts";
import type { NetlinkCounters, Os } from "../sysdep/os.ts";
import type { Configuration } from "./configuration.ts";
import type { LoopLag } from "./loop-lag.ts";
import type { Namespace } from "./namespace.ts";

export type Phase = "starting" | "running" | "stopping";

export interface StatusParts {
  readonly options: {
    readonly version: string;
    readonly os: Os;
    readonly observe: boolean;
    readonly clock: Clock;
  };
  /** Wall clock and monotonic, ms. */
  readonly startedAt: number;
  readonly startedMonotonic: number;
  readonly phase: Phase;
  readonly tables: readonly Rtable[];
  readonly lag: LoopLag;
  readonly configuration: Configuration;
  readonly manager: ProtoManager;
  readonly kernels: readonly KernelProtocol[];
  readonly namespaces: readonly Namespace[];
}

export function statusReport(parts: StatusParts): StatusReport {
  const { options, tables, kernels, namespaces, configuration } = parts;
  const { clock, version, observe, os } = options;
  const { routerId } = configuration.current;
  const reports = kernels.map((kernel) => kernel.report());
  const sum = <T>(of: readonly T[], count: (one: T) => number): number =>
    of.reduce((total, one) => total + count(one), 0);
  const netlink = (counter: keyof NetlinkCounters): number =>
    sum(namespaces, ({ counters }) => counters[counter]);
  return {
    version,
    state: stateOf(parts),
    "router-id": routerId === null ? null : formatAddress(routerId),
    pid: process.pid,
    started: new Date(parts.startedAt).toISOString(),
    "uptime-seconds": Math.floor((clock.now() - parts.startedMonotonic) / 1000),
    observe,
    config: configuration.report(),
    counts: {
      protocols: parts.manager.all().length,
      routes: sum(tables, (table) => table.routeCount),
      nets: sum(tables, (table) => table.netCount),
      waiting: sum(reports, (report) => report.waiting),
      failed: sum(reports, (report) => report.failed),
      withheld: sum(reports, (report) => report.withheld),
      interfaces: sum(namespaces, ({ interfaces }) => interfaces.size),
    },
    netlink: {
      transport: os.transport,
      overruns: netlink("overruns"),
      resyncs: sum(namespaces, ({ resyncs }) => resyncs),
      forged: netlink("forged"),
      truncated: netlink("truncated"),
      resync: resyncOf(namespaces),
    },
    "event-loop": { "lag-p99-ms": parts.lag.p99Ms() },
    ...(namespaces.length > 1
      ? { namespaces: namespaces.map(({ name, problem }) => ({ name, problem })) }
      : {}),
  };
}

/** Of the namespace that is at it, or was last. */
function resyncOf(namespaces: readonly Namespace[]): StatusReport["netlink"]["resync"] {
  const all = namespaces.flatMap(({ resync }) => resync ?? []);
  const [last] = [...all].sort((a, b) => (b.lastAt ?? 0) - (a.lastAt ?? 0));
  const { state = "live" } = all.find((one) => one.state !== "live") ?? {};
  return {
    state,
    "last-reason": last?.lastReason ?? null,
    "last-at": last?.lastAt == null ? null : new Date(last.lastAt).toISOString(),
    "last-ms": last?.lastDurationMs == null ? null : Math.round(last.lastDurationMs),
  };
}

function stateOf({ phase, kernels, namespaces, manager }: StatusParts): DaemonState {
  if (phase !== "running") return phase;
  const broken = manager.all().some(({ state, disabled, protocol }) => {
    const idle = state === "down" && !disabled;
    const report = protocol.kernel?.report();
    return idle || (report !== undefined && (report.scan.lastProblem !== null || report.withheld > 0));
  });
  if (broken || namespaces.some(({ problem }) => problem !== null)) return "degraded";
  const listening = namespaces.every(({ resync }) => resync === null || resync.state === "live");
  return listening && kernels.every((kernel) => kernel.inSync) ? "in-sync" : "syncing";
}
