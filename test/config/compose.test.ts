/** compose() holds whatever anybody puts into a file: it answers, quickly, with a document or with problems. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COLLECTION_LIMIT, compose, NESTING_LIMIT, SCALAR_LIMIT } from "../../src/config/compose.ts";
import { SIZE_LIMIT, Source } from "../../src/config/source.ts";

async function composeText(text: string): Promise<{ messages: string[]; at: string[] }> {
  const composed = await compose(new Source("f", text));
  if (composed.document !== null) return { messages: [], at: [] };
  return {
    messages: composed.problems.map((problem) => problem.message),
    at: composed.problems.map((problem) => `${problem.line}:${problem.column}`),
  };
}

const fill = (unit: string): string => unit.repeat(Math.floor(SIZE_LIMIT / unit.length));

const stairs = (step: (depth: number) => string): string => {
  let text = "";
  for (let depth = 0; text.length < SIZE_LIMIT - 3000; depth++) text += step(depth);
  return text;
};

const TOO_DEEP = `Lists and mappings are nested deeper than ${NESTING_LIMIT} levels`;

describe("compose() refuses deep nesting before it is composed", () => {
  const bombs: [string, string][] = [
    ["[", fill("[")],
    ["{", fill("{")],
    ["[{", fill("[{")],
    ["[ on lines", fill("[\n")],
    ["[a: ", fill("[a: ")],
    ["{? ", fill("{? ")],
    ["- ", fill("- ")],
    ["? ", fill("? ")],
    [": ", fill(": ")],
    ["? - ", fill("? - ")],
    ["- ? ", fill("- ? ")],
    ["? [", fill("? [")],
    ["indented mappings", stairs((depth) => `${" ".repeat(depth)}a:\n`)],
    ["indented lists", stairs((depth) => `${" ".repeat(depth)}-\n`)],
    ["indented mappings of lists", stairs((depth) => `${"  ".repeat(depth)}- a:\n`)],
    ["after a sane beginning", `router-id: 192.0.2.1\n"[": "]" # ]]]\nx: ${"[".repeat(100_000)}`],
    ["after quotes that do not end there", `a: it's\nb: ${"[".repeat(100_000)}'`],
    ["in a second document", `a: 1\n--- ${"[".repeat(100_000)}`],
  ];
  it.each(bombs)("%s", async (_, text) => {
    const { messages } = await composeText(text);
    expect(messages).toHaveLength(1);
    expect([TOO_DEEP, "The file holds a second YAML document"]).toContain(messages[0]);
  });

  it("at exactly one level too many, with the place", async () => {
    expect((await composeText("[".repeat(NESTING_LIMIT) + "]".repeat(NESTING_LIMIT))).messages).toEqual([]);
    expect(await composeText(`${"[".repeat(NESTING_LIMIT + 1)}${"]".repeat(NESTING_LIMIT + 1)}`)).toEqual({
      messages: [TOO_DEEP],
      at: [`1:${NESTING_LIMIT + 2}`],
    });
    const blocks = (depth: number) =>
      `${Array.from({ length: depth }, (_, i) => `${" ".repeat(i)}a:\n`).join("")}${" ".repeat(depth)}b`;
    expect((await composeText(blocks(NESTING_LIMIT))).messages).toEqual([]);
    expect((await composeText(blocks(NESTING_LIMIT + 1))).messages).toEqual([TOO_DEEP]);
  });
});

describe("compose() ends soon on large nonsense", () => {
  const shapes = [
    "!",
    "! ",
    "& ",
    "&a ",
    "*a ",
    "'",
    '"',
    "''",
    "|\n",
    "#",
    "#\n",
    "\n",
    "\r\n",
    "\t",
    " ",
    "%\n",
  ]
    .concat([
      "a:\n",
      "- a\n",
      "? a\n",
      "---\n",
      "...\n",
      "]",
      "}",
      ",",
      "-\n",
      "<<: x\n",
      " \n",
      "a: |\n b\n",
    ])
    .concat([
      "a: 'b\n",
      'a: "\\"\n',
      "[\n]\n",
      "a: [\n",
      "a: &x b\n",
      "a: !!str b\n",
      ": a\n",
      "\\",
      "a: b: c\n",
    ]);
  it.each(shapes)("1 MiB of %j", async (unit) => {
    expect((await composeText(fill(unit))).messages.length).toBeLessThanOrEqual(20);
  });
  it.each([
    ["a list of nothing", "[", ","],
    ["a list of lists", "[", "[],"],
    ["a mapping without values", "{", "a,"],
    ["a quoted text without end", 'a: "', "\\\n"],
    ["a folded text", "a: >\n", " b\n"],
    ["a plain text", "a: b\n", " c\n"],
  ])("%s", async (_, head, unit) => {
    expect((await composeText(head + fill(unit))).messages.length).toBeLessThanOrEqual(20);
  });
});

describe("compose() lets others run meanwhile", () => {
  it("on a large file that is right", async () => {
    let turns = 0;
    let ended = false;
    const turn = () => {
      turns++;
      if (!ended) setImmediate(turn);
    };
    setImmediate(turn);
    const { messages } = await composeText("- {a: b, c: [d]}\n".repeat(5000));
    ended = true;
    expect(messages).toEqual([]);
    expect(turns).toBeGreaterThan(20);
  });
});

describe("compose() takes brackets for what they are", () => {
  it.each([
    ["in quotes", `a: "${"[".repeat(1000)}"\nb: '${"{".repeat(1000)}'\n`],
    ["in a comment", `# ${"[{".repeat(1000)}\na: 1 # ${"[".repeat(1000)}\n`],
    ["in plain text", `a: x${"[".repeat(1000)}\n`],
    ["in a block of text", `a: |\n  ${"[".repeat(1000)}\n`],
    ["side by side", `a: [${"[],".repeat(1000)}]\n`],
    ["on many lines", "- [a, {b: c}]\n".repeat(1000)],
  ])("%s", async (_, text) => {
    expect((await composeText(text)).messages).toEqual([]);
  });
});

describe("compose() refuses a text that is too long, before it is parsed", () => {
  const long = "a".repeat(SCALAR_LIMIT);
  const message = (length: number) => `A text has ${length} characters, at most ${SCALAR_LIMIT} are read`;
  it.each([
    ["plain", `a: ${long}`, `a: ${long}a`, 1],
    ["a key", `${long.slice(0, 1000)}: 1`, `${long}a: 1`, 1],
    ["in quotes", `a: "${long.slice(2)}"`, `a: "${long}"`, 2],
    ["in single quotes", `a: '${long.slice(2)}'`, `a: '${long}'`, 2],
    ["of many lines", `a: |\n ${long.slice(2)}\n`, `a: |\n ${long}\n`, 2],
  ])("%s", async (_, good, bad, more) => {
    expect((await composeText(good)).messages).toEqual([]);
    expect((await composeText(bad)).messages).toEqual([message(SCALAR_LIMIT + more)]);
  });

  it("but not a comment, nor blanks", async () => {
    expect((await composeText(`#${fill("x").slice(10)}\na: ${" ".repeat(20_000)}1\n`)).messages).toEqual([]);
  });
});

describe("compose() refuses more lists and mappings than memory should be spent on", () => {
  it.each(["[],", "{},", "[{}],"])("%s", async (unit) => {
    const count = COLLECTION_LIMIT / (unit.length > 3 ? 2 : 1);
    const nested = (n: number) => `[${unit.repeat(n)}]`;
    expect((await composeText(nested(count - 1))).messages).toEqual([]);
    expect((await composeText(nested(count))).messages).toEqual([
      `The file holds more than ${COLLECTION_LIMIT} lists, mappings and items`,
    ]);
  });

  it("but takes brackets and dashes in words for words", async () => {
    expect((await composeText(`a: [${'"[", -, -x, '.repeat(20_000)}]`)).messages).not.toContain(
      `The file holds more than ${COLLECTION_LIMIT} lists, mappings and items`,
    );
  });
});

describe("compose() refuses what krt.yaml has no use for", () => {
  it.each([
    ["a: &x 1\n", "YAML anchors are not used here", "1:4"],
    ["a: 1\nb: *a\n", "YAML aliases are not used here", "2:4"],
    ["a: !!str 1\n", "YAML tags are not used here", "1:4"],
    ["%YAML 1.1\n---\na: yes\n", "YAML directives are not used here", "1:1"],
    ["a: 1\n---\nb: 2\n", "The file holds a second YAML document", "2:1"],
  ])("%j", async (text, message, at) => {
    expect(await composeText(text)).toEqual({ messages: [message], at: [at] });
  });

  it("but not in quotes", async () => {
    expect((await composeText("a: '&x'\nb: \"*y\"\nc: '!z'\nd: '%e'\n")).messages).toEqual([]);
  });
});

describe("compose() reports syntax errors where they are", () => {
  it.each([
    ["a: [1, 2\n", "1:9"],
    ["a: 1\n b: 2\n", "1:4"],
    ["a: 'x\n", "1:6"],
    ["a:\n\t- 1\n", "2:1"],
    ["a: 1\n]\n", "2:1"],
  ])("%j", async (text, at) => {
    const composed = await composeText(text);
    expect(composed.messages[0]).toMatch(/^YAML syntax: /);
    expect(composed.at[0]).toBe(at);
  });

  it("never throws, on any text", async () => {
    const piece = fc.constantFrom(
      ..."[]{}:-?,&*!|>'\"%@`#\n \t~\\",
      "a",
      "1",
      ": ",
      "- ",
      "\n  ",
      "---\n",
      "é",
      "\u{1f600}",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(piece, { maxLength: 60 }).map((parts) => parts.join("")),
    );
    await fc.assert(
      fc.asyncProperty(text, async (any) => {
        await composeText(any);
      }),
      { numRuns: 2000 },
    );
  });
});
