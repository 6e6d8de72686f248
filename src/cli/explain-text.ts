/**
 * An explanation as a short story: the verdict, why and what to do, then the way of the route step by step, as far as
 * it came, and what the kernel has:
 *
 *   198.51.100.0/24 in table master4: not installed
 *   Device "tun0" does not exist: create device "tun0", and krtd installs the route by itself.
 *
 *   ✓ source         uplinks offers it
 *   ✗ nexthop        device "tun0" does not exist
 */

import type { ExplainJson, ExplainStepJson } from "../control/explain-json.ts";
import type { KernelRouteJson } from "../control/json.ts";
import { Columns } from "./columns.ts";
import { escapeText } from "./escape.ts";
import { kernelRow } from "./format-route.ts";
import { destinationText, type TextStyle } from "./format-words.ts";

const VERDICTS: Readonly<Record<ExplainJson["verdict"], string>> = {
  installed: "installed",
  "not-installed": "not installed",
  "no-such-route": "no such route",
};

/** The marks are ✓ and ✗, or "ok" and "no" where those cannot be shown. */
export function explainText(answer: ExplainJson, style: TextStyle): string {
  const { verdict, reason, steps } = answer;
  const { strong, good, bad, attention } = style.paint;
  const colour = { installed: good, "not-installed": bad, "no-such-route": attention }[verdict];
  const what = answer.address === null ? "" : `${answer.address} → `;
  const head = `${style.unicode ? what : what.replace("→", "->")}${destinationText(answer.dst)}`;
  const table = escapeText(answer.table);
  let text = `${strong(head)} in table ${table}: ${colour(VERDICTS[verdict])}\n${escapeText(reason)}\n`;
  if (steps.length > 0) text += `\n${stepsText(steps, style)}`;
  const shown = answer["kernel-routes"];
  if (shown.length > 0) text += `\nThe kernel's routes of this prefix:\n${routesText(shown, style)}`;
  const { kernel } = answer.covering;
  const heading = kernel === null ? null : coveringHeading(answer, kernel);
  if (kernel !== null && heading !== null) text += `\n${heading}:\n${routesText([kernel], style)}`;
  return text;
}

/** Null: the covering route has no say, since the kernel has one of this very prefix. */
function coveringHeading(answer: ExplainJson, covering: KernelRouteJson): string | null {
  if (answer.address !== null && lengthOf(covering.dst) > lengthOf(answer.dst)) {
    return `For ${answer.address} the kernel takes`;
  }
  return answer["kernel-routes"].length === 0 ? "Meanwhile the kernel takes" : null;
}

function lengthOf(prefix: string): number {
  return Number(prefix.split("/")[1]);
}

function stepsText(steps: readonly ExplainStepJson[], style: TextStyle): string {
  const { paint, unicode } = style;
  const { good, bad } = paint;
  const yes = good(unicode ? "✓" : "ok");
  const no = bad(unicode ? "✗" : "no");
  const width = Math.max(...steps.map(({ step }) => step.length));
  return steps
    .map(({ step, ok, detail }) => `${ok ? yes : no} ${step.padEnd(width)}  ${escapeText(detail)}\n`)
    .join("");
}

function routesText(routes: readonly KernelRouteJson[], style: TextStyle): string {
  const columns = new Columns(style.terminal);
  let text = "";
  for (const route of routes) text += columns.add(kernelRow(route, style));
  return (text + columns.end()).replace(/^(?=.)/gm, "  ");
}
