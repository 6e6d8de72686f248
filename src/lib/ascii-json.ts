/**
 * JSON in pure ASCII. Interface names are any bytes and reach every answer of krtd; escaped, they mean the same
 * to a JSON parser, and nothing to the terminal somebody reads the answer on.
 */

/** A JSON string in pure ASCII. */
export function jsonText(text: string): string {
  return asciiJson(JSON.stringify(text));
}

/** Escapes all but printable ASCII in JSON text; only strings can hold such characters. */
export function asciiJson(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
