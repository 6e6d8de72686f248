import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { destinationCell, routeRow } from "../../src/cli/format-route.ts";
import type { TextStyle } from "../../src/cli/format-words.ts";
import { type ListView, printList } from "../../src/cli/list.ts";
import type { Output } from "../../src/cli/output.ts";
import { NO_PAINT } from "../../src/cli/paint.ts";
import type { Reply } from "../../src/control/client.ts";
import type { RouteJson } from "../../src/control/json.ts";

const style: TextStyle = { paint: NO_PAINT, terminal: false, unicode: false, numeric: false, now: () => 0 };

const route = fc.record({
  table: fc.constantFrom("master4", 'odd "dst":"x"', "blue4"),
  dst: fc.constantFrom("192.0.2.0/24", "0.0.0.0/0", "10.0.0.0/8"),
  type: fc.constantFrom("unicast", "blackhole"),
  gateway: fc.constantFrom("192.0.2.1", "192.0.2.2"),
  flags: fc.constant([]),
  source: fc.constantFrom("a", "b"),
  best: fc.boolean(),
  kernel: fc.constant({
    protocol: "k",
    state: "synced",
    errno: null,
    message: null,
    attempts: 0,
    "next-retry": null,
  }),
});

/** Cuts a text into chunks anywhere. */
function reply(text: string, chunk: number): Reply {
  return {
    async *chunks() {
      for (let i = 0; i < text.length; i += chunk) yield text.slice(i, i + chunk);
    },
    abort: () => {},
  };
}

async function print(
  records: readonly unknown[],
  chunk: number,
  remember: boolean,
  terminal: boolean,
): Promise<string> {
  let text = "";
  let count = 0;
  const row = (record: RouteJson) => {
    count++;
    return routeRow(record, style);
  };
  const view: ListView<RouteJson> = {
    headings: null,
    row,
    footer: () => `${count} in all`,
    ...(remember
      ? {
          again: (record, dst) => {
            count++;
            return destinationCell(record.type, dst, style);
          },
        }
      : {}),
  };
  const output = {
    write: async (more: string) => {
      text += more;
    },
  } as Output;
  const lines = records.map((record) => `${JSON.stringify(record)}\n`).join("");
  await printList(reply(lines, chunk), view, { terminal, legend: true }, output);
  return text;
}

describe("printList()", () => {
  it("prints the same whether it remembers rows or reads every record, however the text is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(route, { maxLength: 30 }),
        fc.integer({ min: 1, max: 900 }),
        fc.boolean(),
        async (routes, chunk, terminal) => {
          const plain = await print(routes, 1_000_000, false, terminal);
          expect(await print(routes, chunk, true, terminal)).toBe(plain);
          expect(plain.endsWith(`${routes.length} in all\n`)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });
});
