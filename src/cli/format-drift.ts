/** What others did to our routes, as text: when, what, where, who, and what krtd did about it. */

import type { DriftJson } from "../control/json.ts";
import { wayText } from "../control/route-words.ts";
import type { Row } from "./columns.ts";
import { escapeText } from "./escape.ts";
import { destinationText, type TextStyle, timeText } from "./format-words.ts";

const REACTIONS: Readonly<Record<DriftJson["reaction"], string>> = {
  repaired: "repaired",
  scan: "left to the next scan",
  left: "left alone",
};

export function driftRow(drift: DriftJson, { paint }: TextStyle): Row {
  return {
    cells: [
      { text: timeText(drift.at), paint: paint.dim },
      { text: `${destinationText(drift.dst)} metric ${drift.metric}`, paint: paint.strong },
      { text: `${drift.kind}${changeText(drift)}`, paint: paint.attention },
      { text: `[${escapeText(drift.protocol)}]` },
      { text: whoText(drift) },
      { text: REACTIONS[drift.reaction] ?? escapeText(drift.reaction) },
    ],
  };
}

/** `, was via 192.0.2.1 dev eth0, now via 192.0.2.9 dev eth0`, as far as it is known. */
function changeText({ before, after }: DriftJson): string {
  return (
    (before === null ? "" : `, was ${wayText(before)}`) + (after === null ? "" : `, now ${wayText(after)}`)
  );
}

function whoText({ port, "seen-by": seenBy }: DriftJson): string {
  if (port === 0) return "by the kernel";
  if (port !== null) return `by port ${port}`;
  return seenBy === "scan" ? "found by a scan" : "by somebody";
}
