/**
 * Redirects: routes the kernel made because somebody on the wire told it to (rtm_protocol 1). They are never learned,
 * and new ones are deleted. Those that stood there when krtd came are somebody's wish and stay.
 */

import type { KernelRoute } from "../../sysdep/os.ts";

/** A host that takes more than this many redirects before krtd comes has other troubles. */
const REMEMBERED = 10_000;

export class Redirects {
  private readonly old = new Set<string>();

  /** Whether the redirect is to be deleted; `first`: it is shown by the first scan. */
  unwelcome(route: KernelRoute, first: boolean): boolean {
    const key = `${route.w0} ${route.w1} ${route.w2} ${route.w3} ${route.length} ${route.metric}`;
    if (first && this.old.size < REMEMBERED) this.old.add(key);
    return !this.old.has(key);
  }
}
