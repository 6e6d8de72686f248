/**
 * Answers of the connection itself, where there is no request to answer: no place, no time, no HTTP. They are whole
 * HTTP messages, so that curl and krtctl show them like any other error.
 */

import { asciiJson } from "../lib/ascii-json.ts";
import { errorBody } from "./api-error.ts";
import { JSON_TYPE } from "./list-type.ts";

/** Request line and headers together. */
export const MAX_HEADER_BYTES: number = 16 * 1024;

/** `status` with its phrase: "503 Service Unavailable". */
export function rawAnswer(status: string, code: string, message: string, hint: string): string {
  const body = asciiJson(errorBody(code, message, hint));
  return (
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: ${JSON_TYPE}\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

export function tooManyConnections(limit: number): string {
  return rawAnswer(
    "503 Service Unavailable",
    "too-many-connections",
    `krtd already serves ${limit} connections`,
    "Try again in a moment: places of silent clients are given away. Look for programs that keep theirs (ss -xp).",
  );
}

export function placeGivenAway(): string {
  return rawAnswer(
    "408 Request Timeout",
    "request-timeout",
    "The connection was silent while others waited for its place",
    "Connect when there is something to ask, and send the request at once.",
  );
}

export function requestTimeout(ms: number): string {
  return rawAnswer(
    "408 Request Timeout",
    "request-timeout",
    `The request was not complete after ${ms / 1000} s`,
    "Connect when there is something to ask, and send the request at once.",
  );
}

/** What the parser could not read. `code` and `reason` are those of Node's error. */
export function notHttp(code: string | undefined, reason: string | undefined): string {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return rawAnswer(
        "431 Request Header Fields Too Large",
        "headers-too-large",
        `The request line and headers exceed ${MAX_HEADER_BYTES} bytes`,
        "Send fewer or shorter headers; what is long goes into the body of a POST.",
      );
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return rawAnswer(
        "413 Payload Too Large",
        "body-too-large",
        "The chunk extensions of the body are too large",
        "Send the body with a Content-Length.",
      );
    default:
      return rawAnswer(
        "400 Bad Request",
        "bad-request",
        `The request is not HTTP/1.1: ${reason ?? "it cannot be read"}`,
        "Use krtctl, or curl --unix-socket PATH http://krtd/v1/status.",
      );
  }
}
