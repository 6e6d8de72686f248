/**
 * The one error base. Every error that crosses a boundary carries a literal `code` for programs, a message
 * for people ("Cannot <do> <what>: <why>"), and optionally a `hint`: what to do next. Throw for bugs and
 * broken boundaries only; expected outcomes (ESRCH on delete) are return values.
 */

export class KrtdError extends Error {
  readonly code: string;
  /** What the operator can do about it, or null. */
  readonly hint: string | null;

  constructor(
    code: string,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "KrtdError";
    this.code = code;
    this.hint = options.hint ?? null;
  }
}

/** The message of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
