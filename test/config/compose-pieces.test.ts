/** composePieces() makes of a document in pieces what the yaml package makes of it in one. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Composer, type CST, type Document, Parser } from "yaml";
import { composePieces, type SyntaxFault } from "../../src/config/compose-pieces.ts";

function documentOf(text: string): CST.Document | null {
  for (const token of new Parser().parse(text)) if (token.type === "document") return token;
  return null;
}

const OPTIONS = { version: "1.2", schema: "core", uniqueKeys: false, prettyErrors: false } as const;

/** Nodes with their kinds and places. */
function shown(document: Document | null | undefined): string {
  return JSON.stringify(document?.contents, function (this: unknown, _key, value: unknown) {
    if (typeof value !== "object" || value === null) return value;
    if ("items" in value) return { items: value.items, at: (value as { range?: number[] }).range?.[0] };
    if ("key" in value && "value" in value) return { key: value.key, value: value.value };
    return "source" in value
      ? { source: value.source, at: (value as { range?: number[] }).range?.[0] }
      : value;
  });
}

function inPieces(text: string, size: number): { nodes: string; faults: SyntaxFault[]; steps: number } {
  const faults: SyntaxFault[] = [];
  const steps = composePieces(documentOf(text)!, faults, 1000, size);
  for (let count = 1; ; count++) {
    const step = steps.next();
    if (step.done) return { nodes: shown(step.value), faults, steps: count };
  }
}

function inOne(text: string): { nodes: string; faults: string[] } {
  const [document] = [...new Composer(OPTIONS).compose([documentOf(text)!])];
  return {
    nodes: shown(document),
    faults: [...new Set(document!.errors.map(({ pos, message }) => `${pos[0]} ${message}`))].sort(),
  };
}

function agrees(text: string, size: number): void {
  if (documentOf(text) === null) return;
  const whole = inOne(text);
  const pieces = inPieces(text, size);
  // A large key is refused; so is a large list behind a key without a colon, which the yaml package passes over.
  const own = ["A key must be a word", "This list or mapping cannot be read"];
  if (pieces.faults.some(({ message }) => own.includes(message))) return;
  if (whole.faults.length === 0) expect(pieces.faults).toEqual([]);
  else expect(pieces.faults.length).toBeGreaterThan(0);
  if (pieces.faults.length === 0) expect(pieces.nodes).toBe(whole.nodes);
}

const value: fc.Arbitrary<string> = fc.letrec<{ flow: string; word: string }>((tie) => ({
  word: fc.constantFrom("a", "1", "'q'", '"d"', "~", "", "10.0.0.0/8"),
  flow: fc.oneof(
    { maxDepth: 4 },
    tie("word"),
    fc.array(tie("flow"), { maxLength: 6 }).map((items) => `[${items.join(", ")}]`),
    fc
      .array(fc.tuple(fc.constantFrom("k", "l", "'m'"), tie("flow")), { maxLength: 6 })
      .map((pairs) => `{${pairs.map(([key, of]) => `${key}: ${of}`).join(", ")}}`),
  ),
})).flow;

const block: fc.Arbitrary<string> = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 3 }),
      fc.constantFrom("- ", "a: ", "b:", "- c: ", "? ", "# x", "- - ", ""),
      value,
    ),
    { minLength: 1, maxLength: 14 },
  )
  .map((lines) => lines.map(([depth, head, tail]) => "  ".repeat(depth) + head + tail).join("\n"));

describe("composePieces()", () => {
  it("makes the same nodes at the same places, of flow and of block collections", () => {
    fc.assert(
      fc.property(fc.oneof(value, block), fc.integer({ min: 1, max: 30 }), (text, size) =>
        agrees(text, size),
      ),
      { numRuns: 3000 },
    );
  });

  it.each([
    ["a list", "- a\n- {b: c}\n- [d, e]\n".repeat(50)],
    ["a mapping", Array.from({ length: 50 }, (_, i) => `k${i}:\n  - a\n  - b: {c: d}\n`).join("")],
    ["JSON", JSON.stringify({ a: Array.from({ length: 60 }, (_, i) => ({ b: i, c: [i] })), d: { e: [] } })],
    ["a list in a list", `- ${"- a\n  ".repeat(60)}\n- b\n`],
    ["comments", "# a\n- b # c\n\n# d\n- e\n".repeat(40)],
    ["a long mapping in braces", `{${Array.from({ length: 90 }, (_, i) => `k${i}: ${i},\n`).join("")}}`],
    ["trailing commas", `[${"[a, b,],".repeat(40)}]`],
    ["pairs in a list", `[${"a: b, ".repeat(40)}]`],
  ])("%s: the same, in pieces", (_, text) => {
    const pieces = inPieces(text, 20);
    expect(pieces.faults).toEqual([]);
    expect(pieces.nodes).toBe(inOne(text).nodes);
    expect(pieces.steps).toBeGreaterThan(5);
  });

  it("tells what is wrong in a late piece, where it is, and a missing end once", () => {
    const text = `[${"a, ".repeat(100)}b c: d: e`;
    const whole = inOne(text);
    const { faults } = inPieces(text, 20);
    expect(faults.map(({ at, message }) => `${at} ${message}`).sort()).toEqual(whole.faults);
  });

  it("refuses a key that is a large collection", () => {
    expect(inPieces(`? [${"a, ".repeat(100)}]\n: b\n`, 50).faults).toEqual([
      { at: 2, message: "A key must be a word" },
    ]);
  });
});
