/**
 * The values that stand at the leaves of krt.yaml, and the mappings that hold them. Every leaf's `error`
 * completes the sentence "KEY must be …".
 */

import { z } from "zod";
import type { Duration, Size } from "./input.ts";

/** Names of tables, protocols and filters. */
export const NAME: RegExp = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;

export const name: z.ZodType<string> = z.string({ error: "a name" });

const DURATION = { error: "a duration such as 10s, 500ms or 2m (a bare number is seconds)" };

export const duration: z.ZodType<Duration> = z
  .union([z.string().regex(/^[0-9]{1,10}(ms|s|m|h|d)?$/, DURATION), z.number().min(0, DURATION)], DURATION)
  .meta({ description: "A duration: 10s, 500ms, 2m, 1h; a bare number is seconds" });

const SIZE = { error: "a size such as 16MiB or 64KiB (a bare number is bytes)" };

export const size: z.ZodType<Size> = z
  .union([z.string().regex(/^[0-9]{1,16}(B|KiB|MiB|GiB)?$/, SIZE), z.number().min(0, SIZE)], SIZE)
  .meta({ description: "A size: 16MiB, 64KiB; a bare number is bytes" });

export const flag: z.ZodType<boolean> = z.boolean({ error: "true or false" });

export const address: z.ZodType<string> = z.string({ error: "an IP address" });

export const interfaceName: z.ZodType<string> = z.string({ error: "the name of an interface" });

/** The name of a filter, or one of the two that are built in. */
export const filterName: z.ZodType<string> = z.string({ error: "all, none or the name of a filter" });

export const preference: z.ZodType<number> = whole(0, 65535);

/** A whole number; `of` is appended to the range in the message. */
export function whole(from: number, to: number, of = ""): z.ZodNumber {
  const error = `a whole number from ${from} to ${to}${of}`;
  return z.number({ error }).int({ error }).min(from, { error }).max(to, { error });
}

/** A mapping with fixed keys; nothing at all stands for an empty one. */
export function section<T extends z.core.$ZodLooseShape>(
  shape: T,
): z.ZodNullable<z.ZodObject<T, z.core.$strict>> {
  return z.strictObject(shape, { error: "a mapping (key: value)" }).nullable();
}

/** A mapping of names to entries. */
export function named<T extends z.ZodType>(
  entry: T,
  description: string,
): z.ZodOptional<z.ZodNullable<z.ZodRecord<z.ZodString, T>>> {
  return z
    .record(z.string().regex(NAME), entry, { error: "a mapping of names (NAME: {…})" })
    .nullable()
    .optional()
    .meta({ description });
}
