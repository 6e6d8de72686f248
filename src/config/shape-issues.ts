/**
 * Holds values against a schema, in pieces. zod looks at a value in one go, which takes a tenth of a second for a large
 * krt.yaml and throws for a hundred thousand mistakes. What is large is therefore looked at by its items: a list or a
 * mapping of names in runs of some hundred, a section with fixed keys by its keys. The issues are the same.
 */

import { z } from "zod";
import type { Path } from "./tree.ts";

/** Values in one piece: about a millisecond. */
const PIECE = 1000;

export interface ShapeIssue {
  readonly path: Path;
  readonly issue: z.core.$ZodIssue;
}

/** Yields between pieces. Ends with about `limit` issues, however many there are. */
export function* shapeIssues(
  schema: unknown,
  value: unknown,
  limit: number,
  size: number = PIECE,
): Generator<void, ShapeIssue[]> {
  const walk = new Walk(limit, size);
  yield* walk.look(schema, value, []);
  return walk.issues;
}

class Walk {
  readonly issues: ShapeIssue[] = [];
  private readonly limit: number;
  private readonly size: number;

  constructor(limit: number, size: number) {
    this.limit = limit;
    this.size = size;
  }

  *look(schema: unknown, value: unknown, path: Path): Generator<void> {
    if (this.issues.length >= this.limit) return;
    if (!isLarge(value, this.size)) {
      this.parse(schema, value, path);
      return;
    }
    yield;
    const inner = within(schema, value);
    if (inner instanceof z.ZodObject && isMapping(value)) yield* this.lookAtSection(inner, value, path);
    else if (inner instanceof z.ZodRecord && isMapping(value)) yield* this.lookAtNames(inner, value, path);
    else if (inner instanceof z.ZodArray && Array.isArray(value)) {
      yield* this.lookAtList(schema, inner.element, value, path);
    } else this.parse(schema, emptied(value), path);
  }

  /** Small values and unknown keys at once, large values one by one. */
  private *lookAtSection(schema: z.ZodObject, value: Record<string, unknown>, path: Path): Generator<void> {
    const small: Record<string, unknown> = Object.create(null);
    const large: string[] = [];
    let unknown = 0;
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(schema.shape, key)) {
        if (unknown++ < this.limit) small[key] = null;
      } else if (isLarge(value[key], this.size)) large.push(key);
      else small[key] = value[key];
    }
    this.parse(schema, small, path, (issue) => !large.includes(String(issue.path[0])));
    for (const key of large) yield* this.look(schema.shape[key], value[key], [...path, key]);
  }

  private *lookAtNames(schema: z.ZodRecord, value: Record<string, unknown>, path: Path): Generator<void> {
    let run: Record<string, unknown> = Object.create(null);
    let weight = 0;
    for (const [name, entry] of Object.entries(value)) {
      if (this.issues.length >= this.limit) return;
      if (isLarge(entry, this.size)) {
        const before = this.issues.length;
        this.parse(schema, { [name]: null }, path, ({ code }) => code === "invalid_key");
        if (this.issues.length === before) yield* this.look(schema.valueType, entry, [...path, name]);
        continue;
      }
      run[name] = entry;
      weight += weigh(entry, this.size);
      if (weight < this.size) continue;
      this.parse(schema, run, path);
      run = Object.create(null);
      weight = 0;
      yield;
    }
    this.parse(schema, run, path);
  }

  /** `schema` takes lists of `element`, and perhaps other things. */
  private *lookAtList(schema: unknown, element: unknown, value: unknown[], path: Path): Generator<void> {
    let from = 0;
    let weight = 0;
    for (let i = 0; i <= value.length; i++) {
      if (this.issues.length >= this.limit) return;
      const large = i < value.length && isLarge(value[i], this.size);
      if (large || i === value.length || weight >= this.size) {
        if (i > from) this.parse(schema, value.slice(from, i), path, () => true, from);
        from = i;
        weight = 0;
        yield;
      }
      if (large) {
        if (hasItems(element, value[i])) yield* this.look(element, value[i], [...path, i]);
        else this.parse(schema, [emptied(value[i])], path, () => true, i);
        from = i + 1;
      } else if (i < value.length) weight += weigh(value[i], this.size);
    }
  }

  /** `first` is the index of the first item when the value is a part of a list. */
  private parse(
    schema: unknown,
    value: unknown,
    path: Path,
    counts: (issue: z.core.$ZodIssue) => boolean = () => true,
    first = 0,
  ): void {
    const parsed = (schema as z.ZodType).safeParse(value);
    if (parsed.success) return;
    for (const issue of parsed.error.issues) {
      if (!counts(issue)) continue;
      if (issue.path.length === 0 && this.issues.at(-1)?.path === path) continue;
      const own = issue.path.map((step) => (typeof step === "number" ? step : String(step)));
      if (first > 0 && typeof own[0] === "number") own[0] += first;
      this.issues.push({ path: own.length === 0 ? path : [...path, ...own], issue });
    }
  }
}

/** The schema that the value's items are held against: without what may be missing or null, of a union what fits. */
function within(schema: unknown, value: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodNullable) at = at.unwrap();
  if (!(at instanceof z.ZodUnion)) return at;
  return at.options.find((option) => option instanceof z.ZodArray && Array.isArray(value));
}

/** Whether a large value is looked at by its items. */
function hasItems(schema: unknown, value: unknown): boolean {
  const inner = within(schema, value);
  if (Array.isArray(value)) return inner instanceof z.ZodArray;
  return inner instanceof z.ZodObject || inner instanceof z.ZodRecord;
}

/** For what has no items there: it is of the wrong type, whatever is in it. */
function emptied(value: unknown): unknown {
  return Array.isArray(value) ? [] : {};
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isLarge(value: unknown, size: number): boolean {
  return weigh(value, size) >= size;
}

/** Values in `value`, itself among them; counts no further than `size`. */
function weigh(value: unknown, size: number): number {
  if (typeof value !== "object" || value === null) return 1;
  let weight = 1;
  for (const key in value) {
    weight += weigh((value as Record<string, unknown>)[key], size - weight);
    if (weight >= size) break;
  }
  return weight;
}
