/** What `krtctl show status` says of lost notifications. */

import { describe, expect, it } from "vitest";
import { statusRows } from "../../src/cli/format-reports.ts";
import { timeText } from "../../src/cli/format-words.ts";
import { NO_PAINT } from "../../src/cli/paint.ts";
import type { StatusReport } from "../../src/control/backend.ts";

const AT = "2026-11-21T02:00:00.000Z";

function lines(resync: StatusReport["netlink"]["resync"]): string[] {
  const status: StatusReport = {
    version: "1",
    state: "in-sync",
    "router-id": null,
    pid: 1,
    started: AT,
    "uptime-seconds": 1,
    observe: false,
    config: { file: "krt.yaml", loaded: AT, ok: true, error: null, "undo-in-seconds": null },
    counts: { protocols: 1, routes: 1, nets: 1, waiting: 0, failed: 0, withheld: 0, interfaces: 1 },
    netlink: { transport: "socket", overruns: 2, resyncs: 3, forged: 0, truncated: 0, resync },
    "event-loop": { "lag-p99-ms": 1 },
  };
  const style = { paint: NO_PAINT, terminal: false, unicode: false, numeric: false, now: () => 0 };
  return statusRows(status, style)
    .map(({ cells }) => cells.map(({ text }) => text).join(" "))
    .filter((line) => /^(netlink|last-resync)/.test(line));
}

describe("statusRows()", () => {
  const counters = "netlink: socket, 2 overruns, 3 resyncs, 0 forged, 0 truncated";

  it.each([
    ["nothing was ever lost", { state: "live", "last-reason": null, "last-at": null, "last-ms": null }, []],
    [
      "something was",
      { state: "live", "last-reason": "the receive buffer overflowed", "last-at": AT, "last-ms": 12 },
      [`last-resync: ${timeText(AT)}, the receive buffer overflowed, took 12 ms`],
    ],
    [
      "everything is being read",
      { state: "dump", "last-reason": "x", "last-at": AT, "last-ms": 12 },
      [`last-resync: ${timeText(AT)}, x, now: dump`],
    ],
  ] as const)("when %s", (_why, resync, expected) => {
    expect(lines(resync)).toEqual([counters, ...expected]);
  });
});
