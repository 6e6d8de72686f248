/** What a lookup that ends in a reject route answers, by RTN_* type. */

import { EACCES, EAGAIN, EHOSTUNREACH, EINVAL } from "../../lib/errno.ts";
import { RTN_BLACKHOLE, RTN_PROHIBIT, RTN_UNREACHABLE } from "./constants.ts";

/** The errno of a reject route; a "throw" says "go on elsewhere" (EAGAIN). */
export function rejectErrno(type: number): number {
  switch (type) {
    case RTN_BLACKHOLE:
      return EINVAL;
    case RTN_UNREACHABLE:
      return EHOSTUNREACH;
    case RTN_PROHIBIT:
      return EACCES;
    default:
      return EAGAIN;
  }
}
