/** The table of the report: what stands in which line, and what it is to be (goals are for 1,000,000 IPv4 routes). */

import { GROWTH_FACTORS } from "./growth.ts";
import type { Mode } from "./modes.ts";

export interface Goal {
  readonly most: number;
  /** Key of the value it is a multiple of; absent: `most` is in the row's own unit. */
  readonly of?: string;
}

export interface RowSpec {
  readonly key: string;
  readonly text: string;
  readonly unit: "s" | "MB" | "ms" | "µs" | "B" | "";
  /** Key of what it is set in relation to. */
  readonly to?: string;
  readonly goals?: readonly Goal[];
}

export interface Section {
  readonly title: string;
  readonly modes: readonly Mode[];
  readonly rows: readonly RowSpec[];
}

/** Names of what goals refer to. */
export const GOAL_NAMES: Readonly<Record<string, string>> = {
  "push.limit": "C",
  "scan.limit": "C",
  "push.bird": "BIRD",
  "scan.bird-cpu": "BIRD",
  "list.ip": "ip",
  "growth.push-0.1": "at × 0.1",
  "growth.scan-0.1": "at × 0.1",
  "growth.memory-1": "at × 1",
};

const waits = (kind: string, text: string): RowSpec[] => [
  { key: `lag.${kind}-p99`, text: `krtd: 99 % during ${text}`, unit: "ms", goals: [{ most: 10 }] },
  { key: `lag.${kind}-max`, text: `krtd: longest during ${text}`, unit: "ms", goals: [{ most: 50 }] },
];

/** What small tables cost is mostly what every start costs: `base` is the first size that tells of routes. */
const growth = (what: string, unit: RowSpec["unit"], text: string, base: number): RowSpec[] =>
  GROWTH_FACTORS.map((factor) => ({
    key: `growth.${what}-${factor}`,
    text: `krtd: ${text}, × ${factor}`,
    unit,
    ...(factor > base ? { goals: [{ most: 1.3, of: `growth.${what}-${base}` }] } : {}),
  }));

const shape = (name: string, text: string): RowSpec[] => [
  { key: `shapes.${name}-push`, text: `${text}: routes read → in sync`, unit: "s" },
  { key: `shapes.${name}-scan`, text: `${text}: scan`, unit: "s" },
  { key: `shapes.${name}-memory`, text: `${text}: memory at its highest`, unit: "MB" },
];

export const SECTIONS: readonly Section[] = [
  {
    title: "Write all routes into an empty table",
    modes: ["push"],
    rows: [
      { key: "push.limit", text: "C: batches of 1024", unit: "s", to: "push.limit" },
      { key: "push.limit-cpu", text: "C: processor time", unit: "s", to: "push.limit" },
      {
        key: "push.krtd",
        text: "krtd: routes read → in sync",
        unit: "s",
        to: "push.limit",
        goals: [
          { most: 1.3, of: "push.limit" },
          { most: 0.6, of: "push.bird" },
        ],
      },
      { key: "push.bird", text: "BIRD: first → last route in the kernel", unit: "s", to: "push.limit" },
      { key: "push.ip", text: "ip -batch", unit: "s", to: "push.limit" },
    ],
  },
  {
    title: "Start with an empty table",
    modes: ["start", "push"],
    rows: [
      { key: "push.krtd-read", text: "krtd: exec → routes read", unit: "s", goals: [{ most: 1.6 }] },
      { key: "push.bird-read", text: "BIRD: exec → routes read (bird -p)", unit: "s" },
      { key: "push.krtd-exec", text: "krtd: exec → in sync", unit: "s" },
      { key: "push.bird-exec", text: "BIRD: exec → all in the kernel", unit: "s" },
      { key: "push.krtd-cpu", text: "krtd: processor time until then", unit: "s" },
      { key: "push.bird-cpu", text: "BIRD: processor time until then", unit: "s" },
      { key: "writes.push", text: "krtd: routes written", unit: "" },
    ],
  },
  {
    title: "Start again with all routes kept",
    modes: ["start"],
    rows: [
      { key: "restart.krtd-read", text: "krtd: exec → routes read", unit: "s", goals: [{ most: 1.6 }] },
      { key: "restart.krtd-exec", text: "krtd: exec → in sync", unit: "s", goals: [{ most: 4 }] },
      { key: "writes.restart", text: "krtd: routes written", unit: "", goals: [{ most: 0 }] },
    ],
  },
  {
    title: "Read all routes, nothing to do",
    modes: ["scan"],
    rows: [
      { key: "scan.limit", text: "C: dump", unit: "s", to: "scan.limit" },
      { key: "scan.limit-cpu", text: "C: processor time", unit: "s", to: "scan.limit" },
      {
        key: "scan.krtd",
        text: "krtd: scan (dump, verdict, prune)",
        unit: "s",
        to: "scan.limit",
        goals: [{ most: 1.4, of: "scan.limit" }],
      },
      {
        key: "scan.krtd-cpu",
        text: "krtd: processor time of a scan",
        unit: "s",
        to: "scan.limit",
        goals: [{ most: 0.75, of: "scan.bird-cpu" }],
      },
      { key: "scan.bird-cpu", text: "BIRD: processor time of a scan", unit: "s", to: "scan.limit" },
      { key: "writes.scan", text: "krtd: routes written by a scan", unit: "", goals: [{ most: 0 }] },
    ],
  },
  {
    title: "List all routes to /dev/null",
    modes: ["show"],
    rows: [
      { key: "list.ip", text: "ip route show", unit: "s" },
      { key: "list.krtctl", text: "krtctl show routes", unit: "s", goals: [{ most: 1, of: "list.ip" }] },
      { key: "list.client-growth", text: "krtctl: memory grows by", unit: "MB", goals: [{ most: 50 }] },
      { key: "list.client-peak", text: "krtctl: memory at its highest", unit: "MB" },
      { key: "list.server-growth", text: "krtd: memory grows by", unit: "MB", goals: [{ most: 50 }] },
    ],
  },
  {
    title: "Resident memory",
    modes: ["memory"],
    rows: [
      { key: "memory.krtd", text: "krtd: in sync", unit: "MB", goals: [{ most: 200 }] },
      { key: "memory.krtd-scan", text: "krtd: after scans", unit: "MB", goals: [{ most: 200 }] },
      { key: "memory.krtd-list", text: "krtd: after listing all routes", unit: "MB", goals: [{ most: 200 }] },
      { key: "memory.krtd-peak", text: "krtd: at its highest", unit: "MB" },
      { key: "memory.bird", text: "BIRD: all in the kernel", unit: "MB" },
    ],
  },
  {
    title: "Answers to a client that asks every 10 ms",
    modes: ["lag"],
    rows: [
      ...waits("push", "start and push"),
      ...waits("scan", "a scan"),
      ...waits("reload", "a reload of all routes"),
      ...waits("end", "taking all routes out"),
      { key: "lag.loop-p99", text: "krtd: event loop's lag, 99 %", unit: "ms", goals: [{ most: 10 }] },
      { key: "lag.bird-push-max", text: "BIRD: longest during the push", unit: "ms" },
    ],
  },
  {
    title: "Changes of a full table",
    modes: ["churn"],
    rows: [
      { key: "churn.change-median", text: "krtd: one route changed → in the kernel", unit: "ms" },
      { key: "churn.change-p99", text: "  99 %", unit: "ms", goals: [{ most: 5 }] },
      { key: "churn.answer-median", text: "    → answered", unit: "ms" },
      { key: "churn.answer-p99", text: "  99 %", unit: "ms" },
      { key: "churn.repair-median", text: "krtd: one deleted by others → there again", unit: "ms" },
      { key: "churn.repair-max", text: "  longest", unit: "ms", goals: [{ most: 50 }] },
      { key: "churn.storm-push", text: "C: as many foreign routes written", unit: "s" },
      { key: "churn.storm-learned", text: "krtd: until all are learned", unit: "s" },
      {
        key: "churn.storm-losses",
        text: "krtd: losses of notifications on the way, each read again",
        unit: "",
      },
      { key: "churn.storm-memory", text: "krtd: memory at its highest", unit: "MB" },
    ],
  },
  {
    title: "Growth, per route (× the routes asked for)",
    modes: ["growth"],
    rows: [
      ...growth("push", "µs", "routes read → in sync", 0.1),
      ...growth("scan", "µs", "scan", 0.1),
      ...growth("memory", "B", "memory of one more route", 1).slice(1),
    ],
  },
  {
    title: "Other shapes",
    modes: ["shapes"],
    rows: [
      ...shape("hosts", "all /32"),
      ...shape("one-gateway", "one gateway"),
      ...shape("pairs", "50,000 sets of nexthops"),
      ...shape("ecmp", "64 nexthops each (1/100 of the routes)"),
      ...shape("interfaces", "2,000 interfaces"),
      ...shape("tables", "256 tables of 4,000"),
      { key: "writes.shapes", text: "routes written by a scan", unit: "", goals: [{ most: 0 }] },
    ],
  },
];
