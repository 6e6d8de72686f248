/**
 * From the tokens of a document to its nodes, in pieces. The yaml package composes a document in one go, a tenth of a
 * second for a large krt.yaml, in which a running daemon would hear nothing. Lists and mappings with much in them are
 * therefore cut: the first items stay where they are, the others are composed later, in the same surroundings, and put
 * behind them.
 *
 *   routes: [r1, r2, … r9999]   →   routes: [r1, … r200]    [_, r201, … r400]    …
 *                                   a piece                 pieces with a first item to be thrown away
 */

import { Composer, type CST, type Document, isCollection, isPair, type YAMLMap, type YAMLSeq } from "yaml";

/** Tokens of one piece: about a millisecond. */
const PIECE = 1500;

type CollectionToken = CST.BlockMap | CST.BlockSequence | CST.FlowCollection;
type Item = CollectionToken["items"][number];
type CollectionNode = YAMLMap | YAMLSeq;

interface Piece {
  readonly token: CollectionToken;
  readonly items: Item[];
  /** Of a flow collection: its brackets, or what stands in their place. */
  readonly end: CST.SourceToken[];
}

export interface SyntaxFault {
  /** Index into the text. */
  readonly at: number;
  readonly message: string;
}

/**
 * Composes the document; `faults` gets what is wrong with it, up to `limit`. Yields between pieces, which have about
 * `size` tokens each. Takes the tokens apart.
 */
export function* composePieces(
  document: CST.Document,
  faults: SyntaxFault[],
  limit: number,
  size: number = PIECE,
): Generator<void, Document.Parsed | null> {
  const told = new Set<string>();
  const pieces: Piece[] = [];
  if (isCollectionToken(document.value)) {
    const keyAt = { offset: -1 };
    yield* cut(document.value, pieces, size, keyAt);
    if (keyAt.offset >= 0) {
      faults.push({ at: keyAt.offset, message: "A key must be a word" });
      return null;
    }
  }
  shorten(document.end ?? [], limit);
  const targets = new Map<unknown, CollectionNode | null>(pieces.map(({ token }) => [token, null]));
  const whole = composeOne(document, faults, told, limit);
  if (pieces.length === 0) return whole;
  find(whole?.contents, targets);
  const composed: (CollectionNode | null)[] = [];
  for (const piece of pieces) {
    if (faults.length >= limit) return whole;
    yield;
    composed.push(composePiece(piece, faults, told, limit));
    find(composed.at(-1), targets);
  }
  for (const [i, { token }] of pieces.entries()) {
    const target = targets.get(token);
    const more = composed[i];
    if (target && more) for (const item of more.items) target.items.push(item as never);
    else faults.push({ at: token.offset, message: "This list or mapping cannot be read" });
    yield;
  }
  return whole;
}

/** Takes out of `token` and what is below it all that is too much for one piece. Returns the tokens that are left. */
function* cut(
  token: CollectionToken,
  pieces: Piece[],
  size: number,
  keyAt: { offset: number },
): Generator<void, number> {
  const groups: Item[][] = [];
  let kept = 0;
  let weight = 0;
  let from = 0;
  const { items } = token;
  for (let i = 0; i < items.length; i++) {
    const { start, key, sep, value } = items[i]!;
    let own = 2 + start.length + (sep?.length ?? 0);
    if (isCollectionToken(key)) {
      // It is no word and will be refused; that may be left to the stage after, unless it is too much for one piece.
      own += yield* cut(key, [], Number.POSITIVE_INFINITY, keyAt);
      if (own > size && keyAt.offset < 0) keyAt.offset = key.offset;
    }
    if (isCollectionToken(value)) own += yield* cut(value, pieces, size, keyAt);
    if (weight > 0 && weight + own > size) {
      if (groups.length === 0) kept = weight;
      groups.push(items.slice(from, i));
      from = i;
      weight = 0;
      yield;
    }
    weight += own;
  }
  if (groups.length === 0) return weight + 1;
  groups.push(items.slice(from));
  for (const group of groups.slice(1)) pieces.push({ token, items: group, end: closing(token) });
  if (token.type === "flow-collection" && !isClosed(token)) {
    // The bracket is missing where the last piece ends, and nowhere else.
    pieces[pieces.length - 1] = { ...pieces.at(-1)!, end: token.end };
    token.end = closing(token);
  }
  items.length = groups[0]!.length;
  return kept + 1;
}

function composeOne(
  document: CST.Document,
  faults: SyntaxFault[],
  told: Set<string>,
  limit: number,
): Document.Parsed | null {
  const options = { version: "1.2", schema: "core", uniqueKeys: false, prettyErrors: false } as const;
  const composer = new Composer({ ...options, keepSourceTokens: true });
  let result: Document.Parsed | null = null;
  for (const one of composer.compose([document])) result ??= one;
  for (const { pos, message } of result?.errors ?? []) {
    if (faults.length >= limit) break;
    // What is wrong with a collection as a whole is found in each of its pieces.
    const fault = `${pos[0]} ${message}`;
    if (told.has(fault)) continue;
    told.add(fault);
    faults.push({ at: pos[0], message });
  }
  return result;
}

function composePiece(
  { token, items, end }: Piece,
  faults: SyntaxFault[],
  told: Set<string>,
  limit: number,
): CollectionNode | null {
  const offset = startOf(items[0]!) ?? token.offset;
  const isFlow = token.type === "flow-collection";
  const value = (
    isFlow ? { ...token, items: [firstItem(token), ...items], end } : { ...token, offset, items }
  ) as CollectionToken;
  const document = composeOne({ type: "document", offset, start: [], value }, faults, told, limit);
  const node = document?.contents;
  if (!isCollection(node)) return null;
  if (isFlow) node.items.shift();
  return node;
}

/** A comma stands between the items of a flow collection: what comes after it needs something before. */
function firstItem({ start, indent }: CST.FlowCollection): Item {
  const word: CST.Token = { type: "scalar", offset: start.offset + 1, indent, source: "x" };
  return start.source === "{" ? { start: [], key: word, sep: [] } : { start: [], value: word };
}

function isClosed({ start, end }: CST.FlowCollection): boolean {
  return end[0]?.source === (start.source === "{" ? "}" : "]");
}

/** The closing bracket alone, also when there is none. */
function closing(token: CollectionToken): CST.SourceToken[] {
  if (token.type !== "flow-collection") return [];
  if (isClosed(token)) return token.end.slice(0, 1);
  const { start, indent } = token;
  const { offset } = start;
  return start.source === "{"
    ? [{ type: "flow-map-end", offset, indent, source: "}" }]
    : [{ type: "flow-seq-end", offset, indent, source: "]" }];
}

/** Each word behind the end of the value is wrong, and there may be very many. */
function shorten(end: CST.SourceToken[], words: number): void {
  let count = 0;
  for (const [i, { type }] of end.entries()) {
    if (type === "space" || type === "newline" || type === "comment") continue;
    if (++count < words) continue;
    end.length = i + 1;
    return;
  }
}

function startOf({ start, key, sep, value }: Item): number | undefined {
  return (start[0] ?? key ?? sep?.[0] ?? value)?.offset;
}

/** Notes the nodes of those collections that are to get more items. */
function find(node: unknown, targets: Map<unknown, CollectionNode | null>): void {
  if (isPair(node)) {
    find(node.value, targets);
  } else if (isCollection(node)) {
    if (targets.get(node.srcToken) === null) targets.set(node.srcToken, node as CollectionNode);
    for (const item of node.items) find(item, targets);
  }
}

function isCollectionToken(token: CST.Token | null | undefined): token is CollectionToken {
  return token?.type === "block-map" || token?.type === "block-seq" || token?.type === "flow-collection";
}
