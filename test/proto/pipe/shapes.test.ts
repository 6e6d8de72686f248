import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACCEPT_ALL, type Filter, REJECT_ALL } from "../../../src/nest/filter.ts";
import { filterOf, PipeNet, type Wanted } from "./fixture.ts";

const NETS = 3;

/** What these say depends on the net alone, so tables do not come to different ends by different ways. */
const odd = filterOf("odd", ({ w0 }) => ((w0 >>> 8) & 1) === 1);
const even = filterOf("even", ({ w0 }) => ((w0 >>> 8) & 1) === 0);
const plain = [ACCEPT_ALL, ACCEPT_ALL, ACCEPT_ALL, REJECT_ALL, odd, even];

/** These change what tables prefer, and may contradict each other. */
const steering = [
  ...plain,
  filterOf("up", (route) => {
    route.preference = 300;
  }),
  filterOf("down", (route) => {
    route.preference = 50;
    route.metric = 9;
  }),
  filterOf("first-hand", (route) => {
    route.preference = 250;
    return route.sourceType === "static";
  }),
];

const shapes: readonly (readonly [shape: string, tables: string, pipes: readonly string[]])[] = [
  ["a chain of three", "abc", ["ab", "bc"]],
  ["a ring of three", "abc", ["ab", "bc", "ca"]],
  ["a ring of four", "abcd", ["ab", "bc", "cd", "da"]],
  ["all of four with each other", "abcd", ["ab", "ac", "ad", "bc", "bd", "cd"]],
  ["two rings with a table in common", "abcde", ["ab", "bc", "ca", "cd", "de", "ec"]],
];

interface Op {
  readonly op: "announce" | "withdraw" | "wait" | "restart" | "refilter" | "reload";
  readonly table: number;
  readonly pipe: number;
  readonly net: number;
  readonly id: number;
  readonly preference: number;
  readonly metric: number;
  readonly import: number;
  readonly export: number;
}

const op: fc.Arbitrary<Op> = fc.record({
  op: fc.constantFrom<Op["op"]>(
    ...Array<Op["op"]>(6).fill("announce"),
    ...Array<Op["op"]>(4).fill("withdraw"),
    ...(["wait", "wait", "restart", "refilter", "reload"] as const),
  ),
  table: fc.nat(9),
  pipe: fc.nat(9),
  net: fc.nat(NETS - 1),
  id: fc.integer({ min: 1, max: 9 }),
  preference: fc.constantFrom(100, 200),
  metric: fc.constantFrom(0, 0, 7),
  import: fc.nat(99),
  export: fc.nat(99),
});

/** Does all of it, without waiting for one to be done before the next but where it says so. */
async function run(f: PipeNet, pipes: readonly string[], filters: readonly Filter[], ops: readonly Op[]) {
  const names = [...f.tables.keys()];
  const under: Promise<unknown>[] = [];
  for (const each of ops) {
    const table = names[each.table % names.length]!;
    const pipe = pipes[each.pipe % pipes.length]!;
    const chosen = {
      import: filters[each.import % filters.length]!,
      export: filters[each.export % filters.length]!,
    };
    switch (each.op) {
      case "announce":
        f.announce(table, each.net, each.id, each.preference, each.metric);
        break;
      case "withdraw":
        f.withdraw(table, each.net);
        break;
      case "wait":
        await f.clock.yield();
        break;
      case "restart":
        under.push(f.links.has(pipe) ? f.stop(pipe) : f.start(pipe, chosen));
        break;
      case "refilter":
        under.push(f.reconfigure(pipe, chosen));
        break;
      case "reload":
        under.push(f.links.get(pipe)?.pipe.reload() ?? Promise.resolve());
        break;
    }
  }
  await Promise.all(under);
}

function passes(filter: Filter, net: number): boolean {
  return filter === ACCEPT_ALL || (filter === odd && net % 2 === 1) || (filter === even && net % 2 === 0);
}

/** Tables from which a net gets to this one. */
function sourcesOf(f: PipeNet, table: string, net: number): Set<string> {
  const reached = new Set([table]);
  for (let before = 0; before !== reached.size; ) {
    before = reached.size;
    for (const { config } of f.links.values()) {
      if (reached.has(config.peerTable) && passes(config.export, net)) reached.add(config.table);
      if (reached.has(config.table) && passes(config.import, net)) reached.add(config.peerTable);
    }
  }
  return reached;
}

/** "Preference and metric of the best that gets there, and which may be it"; with plain filters only. */
function bestAnywhere(f: PipeNet, table: string, net: number): string[] {
  const candidates = [...sourcesOf(f, table, net)]
    .map((name) => f.wanted.get(name)?.get(net))
    .filter((wanted): wanted is Wanted => wanted !== undefined)
    .sort((a, b) => b.preference - a.preference || a.metric - b.metric);
  const [first] = candidates;
  if (first === undefined) return ["none"];
  return candidates
    .filter(({ preference, metric }) => preference === first.preference && metric === first.metric)
    .map(({ id, preference, metric }) => `id ${id} preference ${preference} metric ${metric}`);
}

describe.each(shapes)("pipes that form %s", (_shape, tables, pipes) => {
  const order = fc.shuffledSubarray([...pipes], { minLength: pipes.length });

  it("give each table the best of all that can get there, and then are silent", async () => {
    await fc.assert(
      fc.asyncProperty(order, fc.array(op, { maxLength: 60 }), async (pipesInOrder, ops) => {
        const f = new PipeNet(tables);
        for (const name of pipesInOrder) await f.start(name);
        await run(f, pipesInOrder, plain, ops);
        await f.quiet(1);
        expect(f.faults(NETS)).toEqual([]);
        for (const name of tables) {
          for (let net = 0; net < NETS; net++) {
            expect(bestAnywhere(f, name, net), `${name} ${net}`).toContain(f.best(name, net));
          }
        }
        const settled = f.changes;
        await f.quiet(3);
        expect(f.changes).toBe(settled);
        expect([...f.links.values()].map(({ pipe }) => pipe.info()).join("")).toBe("");
        expect(f.miscounts()).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("keep nothing that nobody announces any more, whatever their filters do", async () => {
    await fc.assert(
      fc.asyncProperty(order, fc.array(op, { maxLength: 60 }), async (pipesInOrder, ops) => {
        const f = new PipeNet(tables);
        for (const name of pipesInOrder) await f.start(name);
        await run(f, pipesInOrder, steering, ops);
        for (const name of tables) for (let net = 0; net < NETS; net++) f.withdraw(name, net);
        await f.quiet(4);
        expect([...tables].flatMap((name) => f.shown(name))).toEqual([]);
        expect(f.attrs.size).toBe(0);
        expect(f.miscounts()).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("leave each table its own routes alone when they stop, whenever that is", async () => {
    await fc.assert(
      fc.asyncProperty(order, fc.array(op, { maxLength: 40 }), async (pipesInOrder, ops) => {
        const f = new PipeNet(tables);
        const starting = pipesInOrder.map((name) => f.start(name));
        await run(f, pipesInOrder, steering, ops);
        await Promise.all(pipesInOrder.map((name) => f.stop(name)));
        await Promise.all(starting);
        await f.quiet(1);
        for (const name of tables) {
          const own = [...f.wanted.get(name)!].map(
            ([net, { id, preference, metric }]) =>
              `${net}: id ${id} preference ${preference} metric ${metric} from static-${name} trail `,
          );
          expect(f.shown(name).sort()).toEqual(own.sort());
        }
      }),
      { numRuns: 40 },
    );
  });
});
