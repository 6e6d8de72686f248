/**
 * A YAML document as plain values that still know where they were written. Values are looked up by path
 * (["kernel", "kernel4", "metric"]), so the checks after this work on plain data and name a place only when
 * something is wrong. Doubled keys are found here: the yaml package's own check is quadratic.
 */

import {
  type Document,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { systemClock } from "../lib/clock.ts";
import { type Problem, TOO_MANY_PROBLEMS } from "./problems.ts";
import type { Source } from "./source.ts";

/** Items between two turns of the event loop: about a millisecond. */
const SLICE = 1000;

export type Path = readonly (string | number)[];

/** A mapping of krt.yaml: no prototype, so that no key is special. */
export type Mapping = { [key: string]: unknown };

export class Tree {
  readonly source: Source;
  /** The root: usually a Mapping; null when there is nothing but comments. */
  value: unknown = null;
  /** Doubled keys and keys that are not text. */
  readonly problems: Problem[] = [];
  private readonly root: unknown;
  private readonly pairs = new Map<YAMLMap, Map<string, Pair>>();
  private converted = 0;

  private constructor(source: Source, root: unknown) {
    this.source = source;
    this.root = root;
  }

  /** The event loop has its turn every few milliseconds. */
  static async read(source: Source, document: Document.Parsed): Promise<Tree> {
    const tree = new Tree(source, document.contents);
    const steps = tree.convert(document.contents);
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) {
        tree.value = value;
        return tree;
      }
      await systemClock.yield();
    }
  }

  /** A problem at the value of `path`, or where it would stand when there is none. */
  atValue(path: Path, message: string, hint: string | null = null): Problem {
    return this.source.problem(this.offset(path, false), message, hint);
  }

  /** A problem at the key of the last step of `path`. */
  atKey(path: Path, message: string, hint: string | null = null): Problem {
    return this.source.problem(this.offset(path, true), message, hint);
  }

  /** Whether something was written at `path`, also when it was taken out of `value` since. */
  has(path: Path): boolean {
    let node = this.root;
    for (const step of path) {
      const child = this.child(node, step);
      if (child === undefined) return false;
      node = child.value;
    }
    return true;
  }

  /** The keys of the mapping at `path`, as they were written; none when it is no mapping. */
  keys(path: Path): string[] {
    const pairs = this.pairs.get(this.node(path) as YAMLMap);
    return pairs === undefined ? [] : [...pairs.keys()];
  }

  /** The line of the value of `path`. */
  lineOf(path: Path): number {
    return this.source.lineAt(this.offset(path, false));
  }

  /** The line of the key of `path`. */
  lineOfKey(path: Path): number {
    return this.source.lineAt(this.offset(path, true));
  }

  /** A scalar as it was written (`0660`), or null: what it means as a number may not be what it says. */
  written(path: Path): string | null {
    const node = this.node(path);
    return isScalar(node) && typeof node.source === "string" ? node.source : null;
  }

  private node(path: Path): unknown {
    let node = this.root;
    for (const step of path) node = this.child(node, step)?.value;
    return node;
  }

  private report(at: number, message: string): void {
    if (this.problems.length < TOO_MANY_PROBLEMS) this.problems.push(this.source.problem(at, message));
  }

  private offset(path: Path, ofKey: boolean): number {
    let node = this.root;
    let found = start(node) ?? 0;
    for (let i = 0; i < path.length; i++) {
      const child = this.child(node, path[i]!);
      if (child === undefined) return found;
      const key = start(child.key);
      const value = start(child.value);
      const wantsKey = ofKey && i === path.length - 1;
      found = (wantsKey ? (key ?? value) : (value ?? key)) ?? found;
      node = child.value;
    }
    return found;
  }

  private child(node: unknown, step: string | number): { key: unknown; value: unknown } | undefined {
    if (isMap(node)) return this.pairs.get(node)?.get(String(step));
    if (isSeq(node) && typeof step === "number" && step < node.items.length) {
      return { key: null, value: node.items[step] };
    }
    return undefined;
  }

  private *convert(node: unknown): Generator<void, unknown> {
    if (isMap(node)) return yield* this.convertMap(node);
    if (isSeq(node)) {
      const values: unknown[] = [];
      for (const item of (node as YAMLSeq).items) {
        values.push(isCollection(item) ? yield* this.convert(item) : scalarValue(item));
        if (++this.converted % SLICE === 0) yield;
      }
      return values;
    }
    return scalarValue(node);
  }

  private *convertMap(node: YAMLMap): Generator<void, Mapping> {
    const mapping: Mapping = Object.create(null) as Mapping;
    const pairs = new Map<string, Pair>();
    this.pairs.set(node, pairs);
    for (const pair of node.items) {
      const { key } = pair;
      if (++this.converted % SLICE === 0) yield;
      const at = start(key) ?? start(pair.value) ?? start(node) ?? 0;
      if (!isScalar(key) || typeof key.source !== "string" || key.source === "") {
        this.report(at, "A key must be a word");
        continue;
      }
      const name = key.source;
      if (name === "__proto__") {
        // zod passes over this one key, so it would reach the checks of meaning unlooked at.
        this.report(at, `Unknown key "${name}"`);
        continue;
      }
      const earlier = pairs.get(name);
      if (earlier !== undefined) {
        const line = this.source.lineAt(start(earlier.key) ?? 0);
        this.report(at, `Key "${name}" is there already, on line ${line}`);
        continue;
      }
      pairs.set(name, pair);
      mapping[name] = isCollection(pair.value) ? yield* this.convert(pair.value) : scalarValue(pair.value);
    }
    return mapping;
  }
}

function scalarValue(node: unknown): unknown {
  return isScalar(node) ? node.value : null;
}

/** Where a node begins in the text. */
function start(node: unknown): number | null {
  if (typeof node !== "object" || node === null || !("range" in node)) return null;
  const { range } = node as { range?: readonly number[] | null };
  return range?.[0] ?? null;
}
