/**
 * Linux error numbers: the names programs print and the texts people know from strerror(3) and iproute2.
 * Numbers are those of asm-generic (x86, arm, riscv, …); mips and sparc differ and are not supported.
 */

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ERANGE = 34;
export const EPROTO = 71;
export const EMSGSIZE = 90;
export const ENOPROTOOPT = 92;
export const EOPNOTSUPP = 95;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;
export const ETIMEDOUT = 110;
export const EHOSTUNREACH = 113;

const TABLE: ReadonlyMap<number, readonly [name: string, text: string]> = new Map([
  [EPERM, ["EPERM", "Operation not permitted"]],
  [ENOENT, ["ENOENT", "No such file or directory"]],
  [ESRCH, ["ESRCH", "No such process"]],
  [EINTR, ["EINTR", "Interrupted system call"]],
  [EIO, ["EIO", "Input/output error"]],
  [6, ["ENXIO", "No such device or address"]],
  [7, ["E2BIG", "Argument list too long"]],
  [EBADF, ["EBADF", "Bad file descriptor"]],
  [EAGAIN, ["EAGAIN", "Resource temporarily unavailable"]],
  [ENOMEM, ["ENOMEM", "Cannot allocate memory"]],
  [EACCES, ["EACCES", "Permission denied"]],
  [14, ["EFAULT", "Bad address"]],
  [EBUSY, ["EBUSY", "Device or resource busy"]],
  [EEXIST, ["EEXIST", "File exists"]],
  [ENODEV, ["ENODEV", "No such device"]],
  [EINVAL, ["EINVAL", "Invalid argument"]],
  [23, ["ENFILE", "Too many open files in system"]],
  [24, ["EMFILE", "Too many open files"]],
  [28, ["ENOSPC", "No space left on device"]],
  [30, ["EROFS", "Read-only file system"]],
  [ERANGE, ["ERANGE", "Numerical result out of range"]],
  [38, ["ENOSYS", "Function not implemented"]],
  [61, ["ENODATA", "No data available"]],
  [EPROTO, ["EPROTO", "Protocol error"]],
  [75, ["EOVERFLOW", "Value too large for defined data type"]],
  [EMSGSIZE, ["EMSGSIZE", "Message too long"]],
  [ENOPROTOOPT, ["ENOPROTOOPT", "Protocol not available"]],
  [93, ["EPROTONOSUPPORT", "Protocol not supported"]],
  [EOPNOTSUPP, ["EOPNOTSUPP", "Operation not supported"]],
  [97, ["EAFNOSUPPORT", "Address family not supported by protocol"]],
  [98, ["EADDRINUSE", "Address already in use"]],
  [99, ["EADDRNOTAVAIL", "Cannot assign requested address"]],
  [ENETDOWN, ["ENETDOWN", "Network is down"]],
  [ENETUNREACH, ["ENETUNREACH", "Network is unreachable"]],
  [104, ["ECONNRESET", "Connection reset by peer"]],
  [ENOBUFS, ["ENOBUFS", "No buffer space available"]],
  [107, ["ENOTCONN", "Transport endpoint is not connected"]],
  [ETIMEDOUT, ["ETIMEDOUT", "Connection timed out"]],
  [111, ["ECONNREFUSED", "Connection refused"]],
  [EHOSTUNREACH, ["EHOSTUNREACH", "No route to host"]],
  [114, ["EALREADY", "Operation already in progress"]],
]);

/** "ENETUNREACH", or "E999" for one that is not listed. */
export function errnoName(errno: number): string {
  return TABLE.get(errno)?.[0] ?? `E${errno}`;
}

/** "Network is unreachable", as strerror(3) says it, or "Unknown error 999". */
export function errnoText(errno: number): string {
  return TABLE.get(errno)?.[1] ?? `Unknown error ${errno}`;
}
