/**
 * Text → YAML document, safely. The yaml package composes nodes recursively: a few thousand nested brackets
 * abort the whole process, so the depth is checked before anything is composed. That check does not guess: the
 * package's own lexer and its iterative first stage run one token at a time, and its stack of open collections
 * is the true depth of every kind of nesting (brackets, indentation, "- - -", "? ? ?"), never fooled by quotes
 * or comments. Tags, anchors, aliases and directives are refused on the way, they have no use in krt.yaml.
 */

import { Composer, type Document, Lexer, Parser } from "yaml";
import { systemClock } from "../lib/clock.ts";
import type { Problem } from "./problems.ts";
import type { Source } from "./source.ts";

/** The deepest nesting of lists and mappings. */
export const NESTING_LIMIT = 32;

/** The most tokens: a file full of routes has less than half of this, a file full of brackets twice. */
export const TOKEN_LIMIT = 500_000;

/** Syntax errors shown; those after the first are often its consequences. */
const SYNTAX_ERRORS = 20;

export type Composed =
  | { readonly document: Document.Parsed }
  | { readonly document: null; readonly problems: readonly Problem[] };

/** Tokens between two turns of the event loop: some milliseconds. */
const SLICE = 2000;

/** Never rejects. Only the last step, from tokens to nodes, goes through the file in one piece. */
export async function compose(source: Source): Promise<Composed> {
  const steps = composeTokens(source);
  for (;;) {
    const { done, value } = withoutStackTraces(() => steps.next());
    if (done === true) return value;
    await systemClock.yield();
  }
}

/** Hundreds of thousands of syntax errors are possible, and V8 spends ten times longer on their stack traces. */
function withoutStackTraces<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function* composeTokens(source: Source): Generator<void, Composed> {
  const parser = new Parser();
  const composer = new Composer({ version: "1.2", schema: "core", uniqueKeys: false, prettyErrors: false });
  const refuse = (offset: number, message: string, hint: string | null = null): Composed => ({
    document: null,
    problems: [source.problem(Math.min(offset, source.text.length), message, hint)],
  });
  let document: Document.Parsed | null = null;
  let tokens = 0;
  let broken = 0;
  let closed = 0;
  let literal = false;
  for (const lexeme of new Lexer().lex(source.text)) {
    if (++tokens > TOKEN_LIMIT) {
      return refuse(
        parser.offset,
        `The file has more than ${TOKEN_LIMIT} YAML tokens`,
        "put routes in files of their own and name those under files:",
      );
    }
    if (tokens % SLICE === 0) yield;
    const refused = literal ? undefined : REFUSED[lexeme.charAt(0)];
    if (refused !== undefined)
      return refuse(parser.offset, `YAML ${refused} are not used here`, hintFor(lexeme));
    literal = lexeme === SCALAR_FOLLOWS;
    for (const token of parser.next(lexeme)) {
      if (token.type === "error" && ++broken > SYNTAX_ERRORS) break;
      if (token.type === "document") closed++;
      for (const one of composer.next(token)) document ??= one;
    }
    if (broken > SYNTAX_ERRORS) break;
    const open = parser.stack[0];
    if (closed > 0 && open?.type === "document") {
      return refuse(open.offset, "The file holds a second YAML document");
    }
    if (depth(parser) > NESTING_LIMIT) {
      return refuse(parser.offset, `Lists and mappings are nested deeper than ${NESTING_LIMIT} levels`);
    }
  }
  yield;
  for (const token of parser.end()) for (const one of composer.next(token)) document ??= one;
  for (const one of composer.end(true, source.text.length)) document ??= one;
  if (document === null) return refuse(0, "The file holds no YAML document");
  if (document.errors.length === 0) return { document };
  const problems = document.errors
    .slice(0, SYNTAX_ERRORS)
    .map((error) => source.problem(Math.min(error.pos[0], source.text.length), syntaxMessage(error.message)));
  return { document: null, problems };
}

/** The lexer announces a plain or block scalar with this: the next lexeme is its text, whatever it begins with. */
const SCALAR_FOLLOWS = "\x1f";

const REFUSED: Readonly<Record<string, string | undefined>> = {
  "!": "tags",
  "&": "anchors",
  "*": "aliases",
  "%": "directives",
};

function hintFor(lexeme: string): string | null {
  return lexeme.startsWith("%")
    ? null
    : `put the text in quotes if it shall begin with "${lexeme.charAt(0)}"`;
}

/** How many lists and mappings are open: the stack also holds the document and the scalar being read. */
function depth(parser: Parser): number {
  const { stack } = parser;
  if (stack.length <= NESTING_LIMIT) return 0;
  let open = 0;
  for (const token of stack) {
    if (token.type === "block-map" || token.type === "block-seq" || token.type === "flow-collection") open++;
  }
  return open;
}

function syntaxMessage(message: string): string {
  const short = message.length > 200 ? `${message.slice(0, 200)}…` : message;
  return `YAML syntax: ${short}`;
}
