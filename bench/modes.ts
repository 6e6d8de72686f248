/** What can be measured, alone or with others. */

export const MODES = {
  scan: "a scan with nothing to do, beside the bare dump and BIRD's scan",
  push: "all routes into an empty table, beside the bare writes, BIRD and ip -batch",
  memory: "resident memory with all routes, beside BIRD",
  lag: "how long a client waits for answers during start, push, scan, reload and the end",
  start: "from exec to routes read, to in sync, and again with all routes kept",
  show: "krtctl show routes beside ip route show",
  churn: "one route changed, one deleted by others, a storm of foreign routes",
  growth: "time and memory per route from 1/100 of the routes to twice as many",
  shapes: "tables of other shapes: one gateway, many, ECMP, many interfaces, many tables",
} as const;

export type Mode = keyof typeof MODES;

export function isMode(text: string): text is Mode {
  return Object.hasOwn(MODES, text);
}
