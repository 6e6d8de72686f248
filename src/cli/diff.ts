/**
 * `diff [table NAME]`: wanted against the kernel, now, a line for each difference:
 *
 *   + 198.51.100.0/24  dev tun0                 metric 32                Device "tun0" does not exist (ENODEV)
 *   ~ 203.0.113.0/24   via 192.0.2.1 dev eth0   metric 32                via 192.0.2.9 dev eth0 instead of …
 *   - 192.0.2.128/25   via 192.0.2.1 dev eth0   proto krtd metric 32     nobody wants it any more
 *
 * + is missing in the kernel, - is too much there, ~ is different there and shown as it is wanted.
 */

import type { DiffJson } from "../control/explain-json.ts";
import type { AnyRouteJson } from "../control/json.ts";
import { JSON_TYPE, NDJSON_TYPE } from "../control/list-type.ts";
import { attrsText, hopText, nexthopText } from "../control/route-words.ts";
import type { Cell, Row } from "./columns.ts";
import { escapeText } from "./escape.ts";
import { EXIT_DIFFERENT, EXIT_OK, UsageError } from "./exit-code.ts";
import { tableText } from "./format-route.ts";
import { destinationText, type TextStyle } from "./format-words.ts";
import { printList, Tally } from "./list.ts";
import type { Output } from "./output.ts";
import { parseSelectors } from "./selectors.ts";
import { ask, type Session } from "./session.ts";

const MAIN_TABLE = 254;
const MARKS = { add: "+", replace: "~", delete: "-" } as const;
const TO_DO = { add: "to add", replace: "to replace", delete: "to delete" } as const;

/** Exit code 5 when there is a difference. */
export async function diff(session: Session, output: Output): Promise<number> {
  const query = parseSelectors(session.operands, ["table"]);
  if (query.has("prefix")) {
    throw new UsageError(
      '"diff" takes no prefix',
      "Usage: krtctl diff [table NAME]; see also krtctl explain.",
    );
  }
  const { format, legend } = session.options;
  const path = query.size === 0 ? "/v1/diff" : `/v1/diff?${query}`;
  const reply = await ask(session, {
    method: "GET",
    path,
    list: format === "json" ? JSON_TYPE : NDJSON_TYPE,
    progress: () => {},
  });
  let found = false;
  try {
    if (format === "text") {
      const tally = new Tally("difference", "differences");
      const row = (difference: DiffJson): Row => {
        found = true;
        tally.add(TO_DO[difference.op]);
        return diffRow(difference, session.style);
      };
      const footer = (): string => (found ? tally.toString() : "no difference");
      await printList(
        reply,
        { headings: null, row, footer },
        { terminal: session.style.terminal, legend },
        output,
      );
    } else {
      for await (const chunk of reply.chunks()) {
        // Every record is an object, and an empty array has none.
        found ||= chunk.includes("{");
        await output.write(chunk);
      }
    }
  } finally {
    reply.abort();
  }
  return found ? EXIT_DIFFERENT : EXIT_OK;
}

function diffRow({ op, netns, table, dst, wanted, kernel, reason }: DiffJson, style: TextStyle): Row {
  const { good, attention, bad } = style.paint;
  const paint = { add: good, replace: attention, delete: bad }[op];
  const route = wanted ?? kernel;
  const words: string[] = [];
  if (wanted === null && kernel !== null) words.push(`proto ${escapeText(kernel.protocol)}`);
  if (route !== null) words.push(attrsText(route));
  if (table !== MAIN_TABLE) words.push(`table ${tableText(table, style)}`);
  if (netns !== undefined) words.push(`netns ${escapeText(netns)}`);
  const hops = (route?.nexthops ?? []).map(nexthopText);
  if (!style.terminal) words.push(...hops);
  return {
    cells: [
      { text: `${MARKS[op]} ${destination(dst, route)}`, paint },
      { text: route === null ? "" : hopText(route) },
      { text: words.filter((word) => word !== "").join(" ") },
      ownerCell(wanted === null ? null : wanted.source),
      { text: escapeText(reason) },
    ],
    ...(style.terminal ? { below: hops.map((hop) => `      ${hop}`) } : {}),
  };
}

function ownerCell(source: string | null): Cell {
  return { text: source === null ? "" : `[${escapeText(source)}]` };
}

function destination(dst: string, route: AnyRouteJson | null): string {
  const text = destinationText(dst);
  return route === null || route.type === "unicast" ? text : `${route.type} ${text}`;
}
