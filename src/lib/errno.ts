/** The names and texts of errno values, as libuv knows them. Values are positive, as in errno(3). */

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

/** "ENETUNREACH"; "errno 4711" for a value nobody named. */
export function errnoName(errno: number): string {
  return errno > 0 && getSystemErrorMap().has(-errno) ? getSystemErrorName(-errno) : `errno ${errno}`;
}

/** "Network is unreachable", with a capital as the C library says it. */
export function errnoText(errno: number): string {
  const text = getSystemErrorMap().get(-errno)?.[1] ?? `error ${errno}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
