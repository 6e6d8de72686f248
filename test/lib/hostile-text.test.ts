/** Text from outside (names of interfaces and namespaces, the kernel's words, files) as each kind of output shows it. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeLines, escapeText, parseName } from "../../src/cli/escape.ts";
import { readNetns } from "../../src/config/netns.ts";
import { renderProblems } from "../../src/config/problems.ts";
import { isComplaint } from "../../src/config/spec-rules.ts";
import { asciiJson, jsonText } from "../../src/lib/ascii-json.ts";
import { escapeName } from "../../src/lib/escape-name.ts";
import { globMatches } from "../../src/lib/glob.ts";
import { escapeUnsafe, formatField, formatJournal, formatPretty } from "../../src/lib/log-text.ts";

/** What moves a cursor, ends a line, changes the direction of text, is seen by nobody, or is no character at all. */
const WORST = [
  "\x1b[2J",
  "\x9b31m",
  "\r",
  "\n<0>forged",
  "\0",
  "\x7f",
  "\u0085",
  "\u2028",
  "\u2029",
  "\u202e",
  "\u2066",
  "\u200b",
  "\ufeff",
  "\u00ad",
  "\u{e0041}",
  "\u{1d173}",
  "\ud800",
  "\udc00",
];
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(...WORST),
      fc.constantFrom("eth0", " ", '"', "\\", "%s", "$(x)", "é"),
      fc.string({ unit: "binary" }),
    ),
    {
      maxLength: 6,
    },
  )
  .map((parts) => parts.join(""));
const DRIVES = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

describe("hostile text", () => {
  it.each(WORST)("%j is shown, not sent, by log, command line, problems and JSON", (text) => {
    for (const shown of [
      escapeUnsafe(text),
      escapeText(text),
      escapeName(Buffer.from(text).toString("latin1")),
      formatField("name", text),
      jsonText(text),
      renderProblems([
        { file: text, line: 0, column: 0, message: text, hint: text, sourceLine: null },
      ]).replaceAll("\n", ""),
    ]) {
      expect(shown).not.toMatch(DRIVES);
      expect(shown).toMatch(/\\[xunr]/);
    }
  });

  it("stays on its line in the log, and in its field", () => {
    fc.assert(
      fc.property(hostile, hostile, (message, name) => {
        const record = { level: "warn", time: 0, message, fields: { name, [name]: message } } as const;
        expect(formatJournal(record)).not.toMatch(DRIVES);
        expect(formatJournal(record).startsWith("<4>")).toBe(true);
        expect(formatPretty(record, false)).not.toMatch(DRIVES);
      }),
    );
  });

  it("means the same in JSON, which is ASCII", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(jsonText(text)).toMatch(/^[ -~]*$/);
        expect(JSON.parse(jsonText(text))).toBe(text);
        expect(JSON.parse(asciiJson(JSON.stringify({ [text]: [text] })))).toEqual({ [text]: [text] });
      }),
    );
  });

  it("keeps the lines of excerpts and nothing else that drives", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(escapeLines(text).replace(/[\n\t]/g, "")).not.toMatch(DRIVES);
        expect(escapeLines(text).split("\n")).toHaveLength(text.split("\n").length);
      }),
    );
  });

  it("is one line a problem, wherever in a configuration it stood", () => {
    fc.assert(
      fc.property(hostile, fc.nat(20), (text, at) => {
        const sourceLine = text.replaceAll("\n", " ");
        const column = Math.min(at, Array.from(sourceLine).length) + 1;
        const told = renderProblems([{ file: text, line: 3, column, message: text, hint: text, sourceLine }]);
        expect(told.replace(/[\n\t]/g, "")).not.toMatch(DRIVES);
        expect(told.split("\n")).toHaveLength(5);
      }),
    );
  });

  it("is no more than a name to patterns, in linear time", () => {
    for (const name of ["*", "?", "[a]", "a*b", "\\", "\n", "\u00ff"]) {
      expect(globMatches("*", name)).toBe(true);
      expect(globMatches("?".repeat(name.length), name)).toBe(true);
      expect(globMatches(name.replace(/[*?]/g, "x"), name)).toBe(!/[*?]/.test(name));
    }
    const started = performance.now();
    expect(globMatches(`${"*a".repeat(5000)}b`, "a".repeat(10_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("as the name of a namespace is a name, or refused without being repeated raw", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const read = readNetns(text);
        if (typeof read === "string") return;
        expect(isComplaint(read)).toBe(true);
        const told = renderProblems([{ file: "f", line: 0, column: 0, sourceLine: null, ...read }]);
        expect(told.replaceAll("\n", "")).not.toMatch(DRIVES);
      }),
    );
  });

  it("can be given back as krtctl shows it", () => {
    for (const name of ["\xff\xfe", "\x1b[2J", "a\\b", "\\x41", "-rf", "%s", "é"]) {
      expect(parseName(escapeName(name))).toBe(name);
    }
    expect(parseName("\\x2drf")).toBe("-rf");
  });
});
