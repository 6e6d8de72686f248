/** What krtctl tells its caller by the exit code (interfaces.md §1), and how errors come to theirs. */

import { RemoteError } from "../control/client.ts";
import { KrtdError } from "../lib/errors.ts";

export const EXIT_OK = 0;
/** The daemon refused or failed. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_NOT_REACHABLE = 3;
export const EXIT_BAD_CONFIG = 4;
/** The kernel differs from what is wanted, or a plan is not empty. */
export const EXIT_DIFFERENT = 5;
export const EXIT_NOT_FOUND = 6;

/** A command line that krtctl does not take. */
export class UsageError extends KrtdError {
  constructor(message: string, hint?: string) {
    super("usage", message, hint === undefined ? {} : { hint });
  }
}

/** The exit code for anything that was thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT_USAGE;
  if (error instanceof RemoteError) {
    // A path the daemon does not know is a daemon of another version, not something the operator looked for.
    if (error.status === 404) return error.code === "no-such-path" ? EXIT_FAILED : EXIT_NOT_FOUND;
    if (error.code === "bad-config") return EXIT_BAD_CONFIG;
    return error.status === 400 ? EXIT_USAGE : EXIT_FAILED;
  }
  if (error instanceof KrtdError && error.code === "not-reachable") return EXIT_NOT_REACHABLE;
  if (error instanceof KrtdError && error.code === "socket-path") return EXIT_USAGE;
  return EXIT_FAILED;
}
