/** The answers to what is asked to be done to a protocol, and is not done. */

import type { ActRefusal } from "../control/backend.ts";

export function refused(reason: string): ActRefusal {
  return { code: "refused", reason };
}

/** It is as was asked for. */
export function already(reason: string): ActRefusal {
  return { code: "already", reason };
}
