/** A plan as text, a line for each thing that changes: what would be done, or what was. */

import type { PlanJson } from "../control/json-actions.ts";
import { escapeText } from "./escape.ts";

type Plan = PlanJson["plan"];
type Change = Plan["protocols"][number];

/** What would be done, and what was. */
const VERBS: Readonly<Record<Change["action"], readonly [would: string, did: string]>> = {
  add: ["add", "added"],
  remove: ["remove", "removed"],
  restart: ["restart", "restarted"],
  reconfigure: ["reconfigure", "reconfigured"],
};

/** One line each, with line ends; "" when nothing changes. `done`: it has been carried out. */
export function planText({ tables, protocols, settings }: Plan, done: boolean): string {
  const lines = [
    ...tables.removed.map((name) => `table ${escapeText(name)}: ${done ? "removed" : "remove"}`),
    ...tables.added.map((name) => `table ${escapeText(name)}: ${done ? "added" : "add"}`),
    ...protocols.map((change) => `${escapeText(change.name)}: ${changeText(change, done)}`),
    ...settings.map(({ key, effect }) => `${escapeText(key)}: ${settingText(effect, done)}`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** `reconfigure in place (scan-time)`. Routes are always changed in place: only of settings it needs to be said. */
function changeText({ action, type, reasons }: Change, done: boolean): string {
  const verb = VERBS[action][done ? 1 : 0];
  const inPlace = action === "reconfigure" && !reasons.every((reason) => reason.startsWith("routes"));
  const details = reasons.length === 0 ? [type] : reasons.map(escapeText);
  return `${verb}${inPlace ? " in place" : ""} (${details.join(", ")})`;
}

function settingText(effect: Plan["settings"][number]["effect"], done: boolean): string {
  if (effect === "now") return done ? "changed" : "change at once";
  return `${done ? "changes" : "change"} at the next start of krtd`;
}
