/**
 * GET /metrics: the status and the counters of the kernel protocols in Prometheus' text format 0.0.4. Counters are
 * since the start of krtd, those of a protocol since its own start. Times are in seconds, sizes in bytes.
 */

import type { KernelReport, ProtocolEntry } from "../nest/protocol.ts";
import type { StatusReport } from "./backend.ts";

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** The page as one text; a few kilobytes, and some hundred bytes for each kernel protocol. */
export function metricsText(
  status: StatusReport,
  protocols: readonly ProtocolEntry[],
  residentBytes: number,
): string {
  const page = new Page();
  addStatus(page, status);
  page.gauge("process_resident_memory_bytes", "Resident memory.", residentBytes);
  addKernels(page, protocols);
  return page.text;
}

function addStatus(page: Page, status: StatusReport): void {
  const { counts, netlink, config, version } = status;
  const { transport } = netlink;
  page.add("krtd_info", "gauge", "What runs.", [[{ version, transport, state: status.state }, 1]]);
  page.gauge(
    "krtd_in_sync",
    "1: the kernel is as wanted, as far as it can be.",
    flag(status.state === "in-sync"),
  );
  page.gauge("krtd_config_ok", "0: the last configuration was refused.", flag(config.ok));
  page.gauge("krtd_uptime_seconds", "Since the start.", status["uptime-seconds"]);
  page.gauge("krtd_routes", "Routes in all tables.", counts.routes);
  page.gauge("krtd_nets", "Prefixes in all tables.", counts.nets);
  page.gauge("krtd_interfaces", "Interfaces in all namespaces.", counts.interfaces);
  page.gauge(
    "krtd_event_loop_lag_p99_seconds",
    "Of the last minute.",
    status["event-loop"]["lag-p99-ms"] / 1000,
  );
  page.counter("krtd_netlink_overruns_total", "Receive buffers that overflowed.", netlink.overruns);
  page.counter("krtd_netlink_resyncs_total", "Times everything was read again.", netlink.resyncs);
  page.counter("krtd_netlink_forged_total", "Datagrams that were not the kernel's.", netlink.forged);
  page.counter("krtd_netlink_truncated_total", "Messages that were cut off.", netlink.truncated);
  page.gauge(
    "krtd_netlink_live",
    "0: notifications were lost and are being made good.",
    flag(netlink.resync.state === "live"),
  );
}

/** What is told of each kernel protocol with one number. */
const KERNEL_GAUGES: readonly (readonly [
  name: string,
  help: string,
  of: (report: KernelReport) => number,
])[] = [
  ["scan_duration_seconds", "The last scan.", ({ scan }) => (scan.lastDurationMs ?? 0) / 1000],
  ["scanned_routes", "Routes the last scan saw.", ({ scan }) => scan.routes],
  ["scan_problem", "1: the last scan was not complete.", ({ scan }) => flag(scan.lastProblem !== null)],
  ["learned_routes", "Prefixes learned.", ({ learned }) => learned],
  ["queued_routes", "Changes that wait to be written.", ({ queued }) => queued],
  ["waiting_routes", "Routes that wait for an event.", ({ waiting }) => waiting],
  ["failed_routes", "Routes the kernel refuses.", ({ failed }) => failed],
  ["contested_routes", "Routes somebody keeps changing.", ({ contested }) => contested],
  ["withheld_routes", "Routes nobody wants, too many to be deleted unasked.", ({ withheld }) => withheld],
];

const KERNEL_COUNTERS: typeof KERNEL_GAUGES = [
  ["scans_total", "Scans that ended.", ({ scan }) => scan.count],
  ["scans_incomplete_total", "Scans that proved nothing.", ({ scan }) => scan.incomplete],
  ["repaired_total", "Routes put right after somebody changed them.", ({ repaired }) => repaired],
];

function addKernels(page: Page, protocols: readonly ProtocolEntry[]): void {
  const kernels = protocols.filter(
    ({ protocol }) => protocol.kernel !== undefined || protocol.type === "kernel",
  );
  const up = kernels.map(
    ({ protocol, state }): Sample => [{ protocol: protocol.name }, flag(state === "up")],
  );
  page.add("krtd_kernel_up", "gauge", "1: the kernel protocol runs.", up);
  const reports = kernels.flatMap(({ protocol: { name, kernel } }) =>
    kernel === undefined ? [] : [{ protocol: name, report: kernel.report() }],
  );
  for (const [kind, all] of [
    ["gauge", KERNEL_GAUGES],
    ["counter", KERNEL_COUNTERS],
  ] as const) {
    for (const [name, help, of] of all) {
      page.add(
        `krtd_kernel_${name}`,
        kind,
        help,
        reports.map(({ protocol, report }) => [{ protocol }, of(report)]),
      );
    }
  }
  const writes = reports.flatMap(
    ({
      protocol,
      report: {
        writes: { add, replace, delete: deleted },
      },
    }): Sample[] => [
      [{ protocol, op: "add" }, add],
      [{ protocol, op: "replace" }, replace],
      [{ protocol, op: "delete" }, deleted],
    ],
  );
  page.add("krtd_kernel_writes_total", "counter", "Changes the kernel acknowledged.", writes);
  const errors = reports.flatMap(({ protocol, report }) =>
    Object.entries(report.writes.errors).map(([errno, count]): Sample => [{ protocol, errno }, count]),
  );
  page.add("krtd_kernel_write_errors_total", "counter", "Changes the kernel refused.", errors);
}

function flag(yes: boolean): number {
  return yes ? 1 : 0;
}

class Page {
  text = "";

  gauge(name: string, help: string, value: number): void {
    this.add(name, "gauge", help, [[{}, value]]);
  }

  counter(name: string, help: string, value: number): void {
    this.add(name, "counter", help, [[{}, value]]);
  }

  /** A metric without samples is left out. */
  add(name: string, kind: "gauge" | "counter", help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    this.text += `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;
    for (const [labels, value] of samples) {
      const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
      this.text += `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
    }
  }
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
