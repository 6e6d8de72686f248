/** The table of medians for people, and the record of everything for programs. */

import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import type { Samples } from "./samples.ts";

interface RowSpec {
  readonly key: string;
  readonly text: string;
  readonly unit: "s" | "MiB" | "ms" | "";
  /** Key of what it is set in relation to. */
  readonly to?: string;
}

interface Section {
  readonly title: string;
  readonly rows: readonly RowSpec[];
}

const SECTIONS: readonly Section[] = [
  {
    title: "Write all routes into an empty table",
    rows: [
      { key: "push.limit", text: "C: batches of 1024", unit: "s", to: "push.limit" },
      { key: "push.limit-cpu", text: "C: processor time", unit: "s", to: "push.limit" },
      { key: "push.krtd", text: "krtd: routes read → in sync", unit: "s", to: "push.limit" },
      { key: "push.bird", text: "BIRD: first → last route in the kernel", unit: "s", to: "push.limit" },
      { key: "push.ip", text: "ip -batch", unit: "s", to: "push.limit" },
    ],
  },
  {
    title: "Start with an empty table",
    rows: [
      { key: "push.krtd-read", text: "krtd: exec → routes read", unit: "s", to: "push.limit" },
      { key: "push.bird-read", text: "BIRD: exec → routes read (bird -p)", unit: "s", to: "push.limit" },
      { key: "push.krtd-exec", text: "krtd: exec → in sync", unit: "s", to: "push.limit" },
      { key: "push.bird-exec", text: "BIRD: exec → all in the kernel", unit: "s", to: "push.limit" },
      { key: "push.krtd-cpu", text: "krtd: processor time until then", unit: "s", to: "push.limit" },
      { key: "push.bird-cpu", text: "BIRD: processor time until then", unit: "s", to: "push.limit" },
    ],
  },
  {
    title: "Read all routes, nothing to do",
    rows: [
      { key: "scan.limit", text: "C: dump", unit: "s", to: "scan.limit" },
      { key: "scan.limit-cpu", text: "C: processor time", unit: "s", to: "scan.limit" },
      { key: "scan.krtd", text: "krtd: scan (dump, verdict, prune)", unit: "s", to: "scan.limit" },
      { key: "scan.krtd-cpu", text: "krtd: processor time of a scan", unit: "s", to: "scan.limit" },
      { key: "scan.bird-cpu", text: "BIRD: processor time of a scan", unit: "s", to: "scan.limit" },
      { key: "list.ip", text: "ip route show >/dev/null", unit: "s", to: "scan.limit" },
      { key: "list.krtctl", text: "krtctl show routes >/dev/null", unit: "s", to: "scan.limit" },
    ],
  },
  {
    title: "Restart with all routes kept",
    rows: [{ key: "restart.krtd-exec", text: "krtd: exec → in sync", unit: "s" }],
  },
  {
    title: "Routes written",
    rows: [
      { key: "writes.push", text: "krtd: at the first start", unit: "" },
      { key: "writes.scan", text: "krtd: by a further scan", unit: "" },
      { key: "writes.restart", text: "krtd: by the restart", unit: "" },
    ],
  },
  {
    title: "Resident memory",
    rows: [
      { key: "memory.krtd", text: "krtd: in sync", unit: "MiB" },
      { key: "memory.krtd-scan", text: "krtd: after scans", unit: "MiB" },
      { key: "memory.krtd-list", text: "krtd: after listing all routes", unit: "MiB" },
      { key: "memory.krtd-peak", text: "krtd: at its highest", unit: "MiB" },
      { key: "memory.krtctl", text: "krtctl: listing all routes, at its highest", unit: "MiB" },
      { key: "memory.bird", text: "BIRD: all in the kernel", unit: "MiB" },
    ],
  },
  {
    title: "Answers to a client that asks every 10 ms",
    rows: [
      { key: "answer.push-p99", text: "krtd: 99 % during start and push", unit: "ms" },
      { key: "answer.push-max", text: "krtd: longest during start and push", unit: "ms" },
      { key: "answer.scan-max", text: "krtd: longest during a scan", unit: "ms" },
      { key: "answer.lag-p99", text: "krtd: event loop's lag, 99 %", unit: "ms" },
      { key: "answer.bird-push-max", text: "BIRD: longest during the push", unit: "ms" },
    ],
  },
];

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly node: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
  };
}

/** Runnable tasks, averaged over a minute: above the number of cores, times are too long. */
export function load(): number {
  return Number(readFileSync("/proc/loadavg", "latin1").split(" ")[0]);
}

/** The table; rows and sections without values are left out. */
export function renderTable(samples: Samples): string {
  const lines: string[][] = [];
  for (const { title, rows } of SECTIONS) {
    const shown = rows.filter(({ key }) => samples.of(key).length > 0);
    if (shown.length === 0) continue;
    if (lines.length > 0) lines.push([]);
    lines.push([title, "median", "least", "most", shown.some(({ to }) => to !== undefined) ? "× C" : ""]);
    for (const row of shown) lines.push(renderRow(row, samples));
  }
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  return lines
    .map((cells) => cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!))))
    .map((cells) => `${cells.join("  ").trimEnd()}\n`)
    .join("");
}

function renderRow({ key, text, unit, to }: RowSpec, samples: Samples): string[] {
  const values = samples.of(key);
  const median = samples.median(key)!;
  const base = to === undefined ? null : samples.median(to);
  return [
    `  ${text}`,
    format(median, unit),
    format(Math.min(...values), unit),
    format(Math.max(...values), unit),
    base === null ? "" : (median / base).toFixed(2),
  ];
}

function format(value: number, unit: RowSpec["unit"]): string {
  switch (unit) {
    case "s":
      return `${value.toFixed(3)} s`;
    case "MiB":
      return `${value.toFixed(0)} MiB`;
    case "ms":
      return `${value.toFixed(1)} ms`;
    default:
      return value.toFixed(0);
  }
}
