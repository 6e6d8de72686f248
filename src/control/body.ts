/** Reads the JSON body of a request, never more than the limit, and its members, as strictly as query.ts the query. */

import type { IncomingMessage } from "node:http";
import { errorText, KrtdError } from "../lib/errors.ts";
import { ApiError } from "./api-error.ts";

export const MAX_BODY_BYTES: number = 1024 * 1024;
/** A body of full size comes in 2,048 pieces of 512 bytes; more means that it is sent to make work. */
const MAX_PIECES = 8 * 1024;
/** No body has more than one level. What nests half a million deep takes the JSON parser a tenth of a second. */
const MAX_DEPTH = 32;
const FIRST_BYTES = 4 * 1024;
const OBJECT_HINT = 'The body is an object, as in {"keep":true}, or nothing.';

/**
 * The object in the body; {} when there is none. With `allowed` false any body is refused. Throws ApiError 400
 * or 413; the rest of a refused body is not read.
 */
export async function readBody(
  request: IncomingMessage,
  allowed: boolean,
): Promise<Readonly<Record<string, unknown>>> {
  const announced = Number(request.headers["content-length"] ?? 0);
  const chunked = request.headers["transfer-encoding"] !== undefined;
  if (!allowed) {
    if (announced > 0 || chunked)
      throw new ApiError(400, "bad-body", "This request takes no body", "Send it without one.");
    return {};
  }
  if (announced > MAX_BODY_BYTES) throw tooLarge();
  return parseObject(decode(await collect(request)));
}

/**
 * By events: leaving an iteration early would destroy the socket, and with it the answer that says why. The bytes are
 * copied together as they come: a body in chunks of one byte would otherwise be a million buffers.
 */
function collect(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.allocUnsafe(FIRST_BYTES);
    let size = 0;
    let pieces = 0;
    const refuse = (error: ApiError): void => {
      request.off("data", onData);
      request.pause();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      if (size + chunk.length > MAX_BODY_BYTES) refuse(tooLarge());
      else if (++pieces > MAX_PIECES) refuse(tooManyPieces());
      else {
        while (bytes.length < size + chunk.length) bytes = Buffer.concat([bytes], bytes.length * 2);
        size += chunk.copy(bytes, size);
      }
    };
    request.on("data", onData);
    request.on("end", () => resolve(bytes.subarray(0, size)));
    request.on("error", (error) => reject(clientGone(error)));
    request.on("close", () => reject(clientGone(undefined)));
  });
}

function clientGone(cause: unknown): KrtdError {
  return new KrtdError("client-gone", "Cannot read a request: the client closed the connection", { cause });
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError(400, "bad-body", "The body is not UTF-8", "Send JSON in UTF-8.");
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  if (text.trim() === "") return {};
  if (nestsDeeper(text, MAX_DEPTH)) {
    throw new ApiError(400, "bad-body", `The body nests more than ${MAX_DEPTH} deep`, OBJECT_HINT);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, "bad-body", `The body is not JSON: ${errorText(error)}`, OBJECT_HINT);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ApiError(400, "bad-body", "The body is not a JSON object", OBJECT_HINT);
  }
  return value as Record<string, unknown>;
}

function nestsDeeper(json: string, limit: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (quoted) {
      if (character === "\\") i++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "[" || character === "{") {
      if (++depth > limit) return true;
    } else if (character === "]" || character === "}") depth--;
  }
  return false;
}

function tooLarge(): ApiError {
  return new ApiError(
    413,
    "body-too-large",
    `The body exceeds ${MAX_BODY_BYTES} bytes`,
    "krtd reads configurations from files: the body only names one.",
  );
}

function tooManyPieces(): ApiError {
  return new ApiError(
    413,
    "body-too-large",
    `The body comes in more than ${MAX_PIECES} pieces`,
    "Send it in larger chunks, or with a Content-Length.",
  );
}

/** The members of a body. All methods throw ApiError 400. */
export class Body {
  private readonly members: Readonly<Record<string, unknown>>;
  private readonly hint: string;

  /** `known` are all members this address takes; `hint` says what the body looks like. */
  constructor(members: Readonly<Record<string, unknown>>, known: readonly string[], hint: string) {
    this.members = members;
    this.hint = hint;
    for (const key of Object.keys(members)) {
      if (!known.includes(key)) throw this.bad(`Unknown member "${key}"`);
    }
  }

  has(key: string): boolean {
    return Object.hasOwn(this.members, key);
  }

  /** A boolean, false when it is not there. */
  flag(key: string): boolean {
    const value = this.has(key) ? this.members[key] : false;
    if (typeof value !== "boolean") throw this.bad(`Member "${key}" is not a boolean`);
    return value;
  }

  /** Null when it is not there. */
  text(key: string): string | null {
    const value = this.has(key) ? this.members[key] : null;
    if (value === null) return null;
    if (typeof value !== "string" || value === "") throw this.bad(`Member "${key}" is not a text`);
    return value;
  }

  /** Null when it is not there. */
  number(key: string): number | null {
    const value = this.has(key) ? this.members[key] : null;
    if (value === null) return null;
    if (typeof value !== "number") throw this.bad(`Member "${key}" is not a number`);
    return value;
  }

  /** What to throw for a member that is not as it should be. */
  bad(message: string): ApiError {
    return new ApiError(400, "bad-body", message, this.hint);
  }
}
