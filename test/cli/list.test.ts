import type { ServerResponse } from "node:http";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { destinationCell, routeRow } from "../../src/cli/format-route.ts";
import type { TextStyle } from "../../src/cli/format-words.ts";
import { type ListView, printList } from "../../src/cli/list.ts";
import type { Output } from "../../src/cli/output.ts";
import { NO_PAINT } from "../../src/cli/paint.ts";
import type { Reply } from "../../src/control/client.ts";
import type { RouteJson } from "../../src/control/json.ts";
import { ALIKE_TYPE } from "../../src/control/list-type.ts";
import { RecordStream } from "../../src/control/record-stream.ts";
import { systemClock } from "../../src/lib/clock.ts";

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

/** What the daemon sends when it tells once what records share. */
function alike(records: readonly { readonly dst: string }[]): string {
  let text = "";
  const response = {
    headersSent: true,
    write: (more: string) => {
      text += more;
      return true;
    },
    end: () => {},
  } as unknown as ServerResponse;
  const stream = new RecordStream(response, { type: ALIKE_TYPE, clock: systemClock, stallMs: 1 });
  for (const record of records) {
    const whole = JSON.stringify(record);
    const at = whole.lastIndexOf('"dst":"') + 7;
    stream.pushRoute(whole.slice(0, at), record.dst, whole.slice(at + record.dst.length));
  }
  stream.end();
  return text;
}

async function print(lines: string, chunk: number, terminal: boolean): Promise<string> {
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
    again: (record, dst) => {
      count++;
      return destinationCell(record.type, dst, style);
    },
  };
  const output = {
    write: async (more: string) => {
      text += more;
    },
  } as Output;
  await printList(reply(lines, chunk), view, { terminal, legend: true }, output);
  return text;
}

describe("printList()", () => {
  it("prints the same whether records come whole or what they share once, however the text is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(route, { maxLength: 30 }),
        fc.integer({ min: 1, max: 900 }),
        fc.boolean(),
        async (routes, chunk, terminal) => {
          const whole = routes.map((record) => `${JSON.stringify(record)}\n`).join("");
          const plain = await print(whole, 1_000_000, terminal);
          expect(await print(alike(routes), chunk, terminal)).toBe(plain);
          expect(plain.endsWith(`${routes.length} in all\n`)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("keeps to the numbers of a list with more different records than can be referred to", async () => {
    const routes = Array.from({ length: 5000 }, (_, i) => ({
      dst: `10.${i >> 8}.${i & 255}.0/24`,
      table: "master4",
      type: "unicast",
      // Each stands twice, some of them a thousand records apart.
      gateway: `192.0.${i % 2 === 0 ? i >> 1 : (i * 7) % 1300}.1`,
      flags: [],
      source: "a",
      best: true,
      kernel: { protocol: "k", state: "synced", errno: null, message: null, attempts: 0, "next-retry": null },
    }));
    const whole = routes.map((record) => `${JSON.stringify(record)}\n`).join("");
    const sent = alike(routes);
    expect(sent.match(/^\[/gm)?.length).toBeGreaterThan(500);
    expect(await print(sent, 1000, false)).toBe(await print(whole, 1000, false));
  });

  it.each(['[0,"10.0.0.0/8"]', "[]", '[1,"10.0.0.0/8"', '["dst"]', '[-1,"10.0.0.0/8"]', "[0,1]"])(
    "takes %s for no answer of krtd's",
    async (line) => {
      await expect(print(`${line}\n`, 1000, false)).rejects.toMatchObject({ code: "bad-answer" });
    },
  );
});
