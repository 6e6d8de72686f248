/** The answers to what is asked to be done to a protocol, and is not done. */

import type { ActRefusal } from "../control/backend.ts";

export function refused(reason: string): ActRefusal {
  return { code: "refused", reason };
}

/** It is as was asked for. */
export function already(reason: string): ActRefusal {
  return { code: "already", reason };
}

/** It would delete too much from the kernel; `hint` is how to have it all the same. */
export function tooManyDeleted(reason: string, hint: string | null): ActRefusal {
  return { code: "too-many-deletions", reason, ...(hint === null ? {} : { hint }) };
}
