/** What a request asks for: its path and parameters, read strictly, and the endpoint they lead to. */

import type { ServerResponse } from "node:http";
import { ENDPOINTS, type Endpoint } from "./api.ts";
import { ApiError } from "./api-error.ts";

const ENCODE_HINT = "Percent-encode it as UTF-8: /v1/routes?dev=eth%C3%A9";

export interface Target {
  readonly path: string;
  readonly parameters: URLSearchParams;
}

/** Throws ApiError 400. What cannot be decoded is refused, never replaced: an answer to another question helps nobody. */
export function parseTarget(text: string): Target {
  if (!text.startsWith("/")) throw bad("The request target is not a path", "Ask for a path: GET /v1/status");
  const query = text.indexOf("?");
  if (query >= 0 && !isUtf8(text.slice(query + 1))) {
    throw new ApiError(
      400,
      "bad-query",
      "The query cannot be decoded: it is not percent-encoded UTF-8",
      ENCODE_HINT,
    );
  }
  const url = URL.canParse(`http://krtd${text}`) ? new URL(`http://krtd${text}`) : null;
  if (url === null) throw bad("The request target is not a path", "Ask for a path: GET /v1/status");
  return { path: url.pathname, parameters: url.searchParams };
}

function isUtf8(encoded: string): boolean {
  try {
    decodeURIComponent(encoded);
    return true;
  } catch {
    return false;
  }
}

function bad(message: string, hint: string): ApiError {
  return new ApiError(400, "bad-request", message, hint);
}

/** Throws ApiError 404 or 405 (with Allow set on the response). */
export function findEndpoint(
  path: string,
  method: string,
  response: ServerResponse,
): { endpoint: Endpoint; name: string } {
  const matches = ENDPOINTS.map((endpoint) => ({ endpoint, name: matchPath(endpoint.path, path) })).filter(
    (match): match is { endpoint: Endpoint; name: string } => match.name !== null,
  );
  if (matches.length === 0) {
    const known = ENDPOINTS.map((endpoint) => endpoint.path.replace("*", "NAME")).join(", ");
    throw new ApiError(404, "no-such-path", `There is nothing at ${path}`, `There are ${known}.`);
  }
  const match = matches.find(({ endpoint }) => endpoint.method === method);
  if (match !== undefined) return match;
  const allowed = matches.map(({ endpoint }) => endpoint.method).join(", ");
  response.setHeader("Allow", allowed);
  throw new ApiError(405, "wrong-method", `${method} does not work on ${path}`, `Use ${allowed}.`);
}

/** What stands for the "*" of the pattern, decoded; "" without one; null when the path is another. */
function matchPath(pattern: string, path: string): string | null {
  const [before, after] = pattern.split("*");
  if (after === undefined) return pattern === path ? "" : null;
  if (!path.startsWith(before!) || !path.endsWith(after)) return null;
  const name = path.slice(before!.length, path.length - after.length);
  if (name === "" || name.includes("/") || path.length < before!.length + after.length) return null;
  try {
    return decodeURIComponent(name);
  } catch {
    throw bad(`Cannot decode "${name}" in the path`, ENCODE_HINT);
  }
}
