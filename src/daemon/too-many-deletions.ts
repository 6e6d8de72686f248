/** A change that would delete more of krtd's routes in a kernel table than it may unasked, and is not made. */

import { KrtdError } from "../lib/errors.ts";
import { type Deletions, deletionWords, isTooMany } from "../proto/kernel/safety.ts";

export const TOO_MANY_DELETIONS = "too-many-deletions";

/** What would go from the kernel table of one protocol. */
export interface ProtocolDeletions extends Deletions {
  readonly protocol: string;
}

export class TooManyDeletions extends KrtdError {
  readonly found: readonly ProtocolDeletions[];

  /** `percent`: what would have been allowed. `outcome`: what became of the change; `hint`: the way to have it. */
  constructor(
    found: readonly ProtocolDeletions[],
    percent: number,
    { outcome, hint }: { readonly outcome: string; readonly hint: string },
  ) {
    const each = found.map((one) => `${one.protocol}: ${deletionWords(one)}`).join(", ");
    super(
      TOO_MANY_DELETIONS,
      `Too much would be deleted from the kernel (${each}), as safety.max-delete-percent is ${percent}: ${outcome}`,
      { hint },
    );
    this.found = found;
  }
}

/** Those of the protocols that may not go on unasked. */
export function tooMany(all: readonly ProtocolDeletions[], percent: number): ProtocolDeletions[] {
  return all.filter((one) => isTooMany(one, percent));
}
