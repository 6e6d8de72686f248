/** Refusals of the control server as they come over the wire. */

import { expect } from "vitest";

/** The error in an answer, which must be whole, in ASCII, and say what to do. */
export function errorOf(text: string): { code: string; message: string; hint: string } {
  expect(text).toMatch(/^[\r\n\x20-\x7e]*$/);
  const body = text.slice(text.indexOf("\r\n\r\n") + 4);
  expect(text).toContain(`Content-Length: ${body.length}\r\n`);
  const { error } = JSON.parse(body) as { error: { code: string; message: string; hint: string } };
  expect(error.message.length).toBeGreaterThan(10);
  expect(error.hint?.length, error.message).toBeGreaterThan(10);
  return error;
}
