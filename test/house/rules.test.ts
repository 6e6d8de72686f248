/**
 * House rules that no tool checks: how long a file may be, that it says what it is, and that no test is
 * switched off. Each rule is a function over one file, and each is tried on an offender too.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "oxc-parser";
import { describe, expect, it } from "vitest";
import { root, type SourceFile, sourceFiles } from "./source-files.ts";

type Check = (file: SourceFile) => string | null;

const MAX_LINES = 400;

const tooLong: Check = ({ path, text }) => {
  const lines = text.split("\n").length - 1;
  return lines > MAX_LINES
    ? `${path} has ${lines} lines, the limit is ${MAX_LINES}: split it by concept`
    : null;
};

const noHeader: Check = ({ path, text }) =>
  /^(#![^\n]*\n)?\/\*\*?\s[\s\S]{40,}?\*\/\n/.test(text)
    ? null
    : `${path} does not open with what it is and why`;

const openEnd: Check = ({ path, text }) =>
  /\b(TODO|FIXME|XXX)\b/.test(text) ? `${path} has an open end` : null;

const switchedOffTest: Check = ({ path, text }) => {
  const found = /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:skip|only|todo|fails|skipIf|runIf)\b/.exec(
    text,
  );
  const inside = /\b(?:context|ctx|task)\.skip\(/.exec(text);
  const offence = found?.[0] ?? inside?.[0];
  return offence === undefined ? null : `${path} uses ${offence}`;
};

const checkerSwitchedOff: Check = ({ path, text }) => {
  const found = /@ts-(?:ignore|expect-error|nocheck)|biome-ignore/.exec(text);
  return found === null ? null : `${path} switches the checker off: ${found[0]}`;
};

const enumOrDefault: Check = ({ path, text }) => {
  const { program } = parseSync(path, text);
  const found = program.body.find(
    (node) =>
      node.type === "ExportDefaultDeclaration" ||
      node.type === "TSEnumDeclaration" ||
      (node.type === "ExportNamedDeclaration" && node.declaration?.type === "TSEnumDeclaration"),
  );
  return found === undefined
    ? null
    : `${path} has ${found.type === "ExportDefaultDeclaration" ? "a default export" : "an enum"}`;
};

const misnamedTest: Check = ({ path }) => {
  if (!path.endsWith(".test.ts")) return null;
  const live = path.startsWith("test/live/");
  if (live !== path.endsWith(".live.test.ts"))
    return `${path} would be run by no project of vitest.config.ts`;
  return null;
};

const notKebabCase: Check = ({ path }) =>
  /^[a-z0-9./-]+$/.test(path) ? null : `${path} is not in kebab-case`;

/** This file names what it forbids. */
const self = "test/house/rules.test.ts";
const src = sourceFiles("src");
const tests = sourceFiles("test").filter(({ path }) => path !== self);

function offences(files: readonly SourceFile[], check: Check): string[] {
  return files.map(check).filter((offence) => offence !== null);
}

describe("every file of src", () => {
  it.each([
    ["is short enough to be one idea", tooLong],
    ["says at its head what it is", noHeader],
    ["has no open ends", openEnd],
    ["leaves the checkers on", checkerSwitchedOff],
    ["has neither enums nor default exports", enumOrDefault],
    ["is named in kebab-case", notKebabCase],
  ] as const)("%s", (_rule, check) => {
    expect(offences(src, check)).toEqual([]);
  });
});

describe("every file of test", () => {
  it.each([
    ["is not switched off in any part", switchedOffTest],
    ["leaves the checkers on", checkerSwitchedOff],
    ["is run by exactly one project", misnamedTest],
    ["has no open ends", openEnd],
    ["is named in kebab-case", notKebabCase],
  ] as const)("%s", (_rule, check) => {
    expect(offences(tests, check)).toEqual([]);
  });
});

describe("every file that tests share", () => {
  it("says at its head what it is", () => {
    const shared = tests.filter(({ path }) => !path.endsWith(".test.ts"));
    expect(offences(shared, noHeader)).toEqual([]);
  });
});

describe("the rules see an offender:", () => {
  const file = (text: string, path = "src/lib/x.ts"): SourceFile => ({ path, text });
  it.each<readonly [string, Check, SourceFile]>([
    ["401 lines", tooLong, file("\n".repeat(401))],
    ["no header", noHeader, file('import "x";\n')],
    ["an empty header", noHeader, file("/** x */\n")],
    ["TODO", openEnd, file("// TODO later")],
    ["it.skip", switchedOffTest, file('it.skip("x")')],
    ["describe.only", switchedOffTest, file('describe.only("x")')],
    ["it.concurrent.todo", switchedOffTest, file('it.concurrent.todo("x")')],
    ["it.skipIf", switchedOffTest, file('it.skipIf(ci)("x")')],
    ["context.skip()", switchedOffTest, file("context.skip()")],
    ["@ts-ignore", checkerSwitchedOff, file("// @ts-ignore")],
    ["biome-ignore", checkerSwitchedOff, file("// biome-ignore lint: no")],
    ["an enum", enumOrDefault, file("export enum A { B }")],
    ["a default export", enumOrDefault, file("export default 1;")],
    ["a unit test under live", misnamedTest, file("", "test/live/x.test.ts")],
    ["a live test elsewhere", misnamedTest, file("", "test/lib/x.live.test.ts")],
    ["CamelCase", notKebabCase, file("", "src/lib/ipAddress.ts")],
  ])("%s", (_what, check, offender) => {
    expect(check(offender)).not.toBeNull();
  });
});

describe("the front door", () => {
  it.each([
    "LICENSE",
    "README.md",
    "docs/architecture.md",
    "docs/glossary.md",
    "docs/CHANGELOG.md",
    ".ci/run",
  ])("%s exists", (path) => {
    expect(existsSync(join(root, path))).toBe(true);
  });
});
