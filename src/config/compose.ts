/**
 * Text → YAML document, safely. The yaml package composes nodes recursively: a few thousand nested brackets
 * abort the whole process, so the depth is checked before anything is composed. That check does not guess: the
 * package's own lexer and its iterative first stage run one token at a time, and its stack of open collections
 * is the true depth of every kind of nesting (brackets, indentation, "- - -", "? ? ?"), never fooled by quotes
 * or comments. Tags, anchors, aliases and directives are refused on the way, they have no use in krt.yaml.
 */

import { type CST, type Document, Lexer, Parser } from "yaml";
import { systemClock } from "../lib/clock.ts";
import { composePieces, type SyntaxFault } from "./compose-pieces.ts";
import type { Problem } from "./problems.ts";
import type { Source } from "./source.ts";

/** The deepest nesting of lists and mappings. */
export const NESTING_LIMIT = 32;

/** The most tokens: a file full of routes has less than half of this, a file full of brackets twice. */
export const TOKEN_LIMIT = 500_000;

/** The most brackets that open and dashes: an empty list costs a kilobyte of memory and more, for two bytes of text. */
export const COLLECTION_LIMIT = 100_000;

/** Syntax errors shown; those after the first are often its consequences. */
const SYNTAX_ERRORS = 20;

export type Composed =
  | { readonly document: Document.Parsed }
  | { readonly document: null; readonly problems: readonly Problem[] };

/** The longest text in quotes, or without: the longest path has 4096 bytes. */
export const SCALAR_LIMIT = 8192;

/** Characters between two turns of the event loop, when they are few tokens. */
const LEXED = 64 * 1024;

/** Tokens between two turns of the event loop: some milliseconds. */
const SLICE = 2000;

/** Never rejects. The event loop has its turn every few milliseconds. */
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
  const refuse = (offset: number, message: string, hint: string | null = null): Composed => ({
    document: null,
    problems: [source.problem(Math.min(offset, source.text.length), message, hint)],
  });
  const faults: SyntaxFault[] = [];
  let document: CST.Document | null = null;
  const take = (token: CST.Token): void => {
    if (token.type === "error") faults.push({ at: token.offset, message: errorMessage(token) });
    else if (token.type === "document") document ??= token;
    else if (token.type === "doc-end" && document === null) {
      faults.push({ at: token.offset, message: "Unexpected doc-end without preceding document" });
    }
  };
  let tokens = 0;
  let opened = 0;
  let lexed = 0;
  let literal = false;
  for (const lexeme of new Lexer().lex(source.text)) {
    lexed += lexeme.length;
    if (++tokens > TOKEN_LIMIT) {
      return refuse(
        parser.offset,
        `The file has more than ${TOKEN_LIMIT} YAML tokens`,
        "put routes in files of their own and name those under files:",
      );
    }
    if (tokens % SLICE === 0 || lexed > LEXED) {
      lexed = 0;
      yield;
    }
    const refused = literal ? undefined : REFUSED[lexeme.charAt(0)];
    if (refused !== undefined)
      return refuse(parser.offset, `YAML ${refused} are not used here`, hintFor(lexeme));
    if (lexeme.length > SCALAR_LIMIT && (literal || lexeme.startsWith('"') || lexeme.startsWith("'"))) {
      return refuse(
        parser.offset,
        `A text has ${lexeme.length} characters, at most ${SCALAR_LIMIT} are read`,
        "a quote that is not closed makes all that follows one text",
      );
    }
    if (!literal && (lexeme === "[" || lexeme === "{" || lexeme === "-") && ++opened > COLLECTION_LIMIT) {
      return refuse(
        parser.offset,
        `The file holds more than ${COLLECTION_LIMIT} lists, mappings and items`,
        "put routes in files of their own and name those under files:",
      );
    }
    literal = lexeme === SCALAR_FOLLOWS;
    for (const token of parser.next(lexeme)) take(token);
    if (faults.length >= SYNTAX_ERRORS) break;
    const open = parser.stack[0];
    if (document !== null && open?.type === "document") {
      return refuse(open.offset, "The file holds a second YAML document");
    }
    if (depth(parser) > NESTING_LIMIT) {
      return refuse(parser.offset, `Lists and mappings are nested deeper than ${NESTING_LIMIT} levels`);
    }
  }
  yield;
  for (const token of parser.end()) take(token);
  const composed = yield* composePieces(document ?? NOTHING, faults, SYNTAX_ERRORS);
  if (composed !== null && faults.length === 0) return { document: composed };
  return { document: null, problems: syntaxProblems(source, faults) };
}

/** What comments alone amount to. */
const NOTHING: CST.Document = { type: "document", offset: 0, start: [] };

function errorMessage({ message, source }: CST.ErrorToken): string {
  return source === "" ? message : `${message}: ${JSON.stringify(source)}`;
}

function syntaxProblems(source: Source, faults: readonly SyntaxFault[]): Problem[] {
  return faults
    .slice(0, SYNTAX_ERRORS)
    .map(({ at, message }) => source.problem(Math.min(at, source.text.length), syntaxMessage(message)));
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
