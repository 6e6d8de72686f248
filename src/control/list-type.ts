/**
 * The forms of a list. A client of a million routes may ask for NDJSON that tells once what many of them share (docs/adr/
 * 0017): a line is an object, or `[n,"10.0.0.0/8"]`, which is the n-th object with another `dst`. Objects are numbered
 * from 0 as they come, and anew after ALIKE_RECORDS of them.
 */

export const NDJSON_TYPE = "application/x-ndjson";
/** NDJSON in which alike records are told once. Who does not know it takes it for NDJSON. */
export const ALIKE_TYPE = "application/x-ndjson; profile=alike";
/** So many objects can be referred to. */
export const ALIKE_RECORDS = 1024;
export const JSON_TYPE = "application/json; charset=utf-8";
/** As which of the three the list is sent. */
export type ListType = typeof JSON_TYPE | typeof NDJSON_TYPE | typeof ALIKE_TYPE;

/** What the client asks for by its Accept header. */
export function acceptedList(accept: string | undefined): ListType {
  const asked = (accept ?? "").split(",").filter((range) => range.includes(NDJSON_TYPE));
  if (asked.length === 0) return JSON_TYPE;
  return asked.every((range) => /;\s*profile="?alike"?\s*(;|$)/i.test(range)) ? ALIKE_TYPE : NDJSON_TYPE;
}
