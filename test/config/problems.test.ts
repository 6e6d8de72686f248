import { describe, expect, it } from "vitest";
import { type Problem, renderProblems, sortProblems } from "../../src/config/problems.ts";

function problem(over: Partial<Problem>): Problem {
  return { file: "f", line: 1, column: 1, message: "M", hint: null, sourceLine: null, ...over };
}

describe("renderProblems()", () => {
  it("shows place, message, line, caret and hint", () => {
    expect(renderProblems([problem({ line: 12, column: 3, sourceLine: "abcdef", hint: "h" })])).toBe(
      "f:12:3: M\n   12 | abcdef\n      |   ^\n  h\n",
    );
  });

  it("shows no place for a file as a whole", () => {
    expect(renderProblems([problem({ line: 0, column: 0 })])).toBe("f: M\n");
    expect(renderProblems([])).toBe("");
  });

  it("cuts a long line around the caret", () => {
    const sourceLine = `${"a".repeat(500)}X${"b".repeat(500)}`;
    expect(renderProblems([problem({ column: 501, sourceLine })])).toBe(
      `f:1:501: M\n    1 | …${"a".repeat(39)}X${"b".repeat(80)}…\n      | ${" ".repeat(40)}^\n`,
    );
    expect(renderProblems([problem({ column: 1001, sourceLine })])).toBe(
      `f:1:1001: M\n    1 | …${"b".repeat(40)}\n      | ${" ".repeat(40)}^\n`,
    );
  });

  it("keeps the caret under its character", () => {
    const sourceLine = "\u{1f600}\tx\u0007y";
    expect(renderProblems([problem({ column: 5, sourceLine })])).toBe(
      "f:1:5: M\n    1 | \u{1f600}\tx\\x07y\n      |  \t     ^\n",
    );
  });

  it("lets no control or direction-changing character out", () => {
    const evil = "\u001b[2J\u202e\u2028\u0085";
    const text = renderProblems([problem({ file: evil, message: evil, hint: evil, sourceLine: evil })]);
    expect(text).not.toMatch(/[^\n -~|^]/);
    expect(text).toContain("\\x1b[2J\\u{202e}\\u{2028}\\x85");
  });
});

describe("sortProblems()", () => {
  it("by line, then column, else as given", () => {
    const sorted = sortProblems([
      problem({ line: 2, column: 1, message: "c" }),
      problem({ line: 1, column: 9, message: "b1" }),
      problem({ line: 1, column: 9, message: "b2" }),
      problem({ line: 1, column: 2, message: "a" }),
    ]);
    expect(sorted.map(({ message }) => message)).toEqual(["a", "b1", "b2", "c"]);
  });
});
