/**
 * The names of errno values, and what strerror(3) and so iproute2 say of them. Values are positive, as in
 * errno(3). libuv knows names and texts; where its texts are its own, those of the C library stand here.
 */

import { getSystemErrorMap, getSystemErrorName } from "node:util";

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;
export const EHOSTUNREACH = 113;

const SPOKEN: ReadonlyMap<number, string> = new Map([
  [ENOMEM, "Cannot allocate memory"],
  [EBUSY, "Device or resource busy"],
  [EEXIST, "File exists"],
  [34, "Numerical result out of range"],
  [90, "Message too long"],
  [95, "Operation not supported"],
  [99, "Cannot assign requested address"],
  [EHOSTUNREACH, "No route to host"],
]);

/** "ENETUNREACH"; "errno 4711" for a value nobody named. */
export function errnoName(errno: number): string {
  return errno > 0 && getSystemErrorMap().has(-errno) ? getSystemErrorName(-errno) : `errno ${errno}`;
}

/** "Network is unreachable", as the C library says it. */
export function errnoText(errno: number): string {
  const spoken = SPOKEN.get(errno);
  if (spoken !== undefined) return spoken;
  const text = getSystemErrorMap().get(-errno)?.[1] ?? `error ${errno}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
