/** What the API refuses: an error for programs and people, with the HTTP status it is sent with. */

import { KrtdError } from "../lib/errors.ts";

export class ApiError extends KrtdError {
  /** HTTP status, 400–599. */
  readonly status: number;

  constructor(status: number, code: string, message: string, hint?: string) {
    super(code, message, hint === undefined ? {} : { hint });
    this.status = status;
  }
}

/** The body of an error answer: {"error":{…}}. */
export function errorBody(code: string, message: string, hint: string | null): string {
  return `${JSON.stringify({ error: { code, message, hint } })}\n`;
}
