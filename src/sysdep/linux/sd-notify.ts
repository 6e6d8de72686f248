/**
 * Tells the service manager how krtd is doing, as sd_notify(3) does: one datagram of KEY=value lines to the
 * AF_UNIX socket in $NOTIFY_SOCKET, a path or, after "@", an abstract name. Node has no datagram sockets of that
 * family, hence libc. Without NOTIFY_SOCKET (in a terminal, a container) every call does nothing, and a
 * manager that does not listen costs one warning, never the daemon.
 *
 * The watchdog is fed from the event loop: a loop that hangs stops feeding, and systemd restarts krtd.
 */

import type { Clock } from "../../lib/clock.ts";
import { KrtdError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { SOCK_CLOEXEC } from "./netlink/constants.ts";
import { close, sendto, socket } from "./netlink/libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
/** sys/un.h: sizeof sun_path, of which a path needs one byte for its NUL. */
const SUN_PATH_BYTES = 108;

export interface ServiceNotifier {
  /** READY=1: start-up, or the reload begun last, is complete. */
  ready(status: string): void;
  /** RELOADING=1: followed by ready() also when the reload failed. */
  reloading(): void;
  /** STOPPING=1: the orderly stop has begun. */
  stopping(status: string): void;
  /** STATUS=: one line for `systemctl status`. */
  status(text: string): void;
  /** EXTEND_TIMEOUT_USEC=: a start, reload or stop under way needs at least `ms` more. */
  extendTimeout(ms: number): void;
  /** Feeds the watchdog at half its interval until the returned function is called. Does nothing without one. */
  feedWatchdog(clock: Clock): () => void;
  /** Idempotent; later calls of the others do nothing. */
  close(): void;
}

export interface NotifyOptions {
  /** Read: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

/** Opens the way to the service manager named by the environment. Never throws. */
export function openServiceNotifier(options: NotifyOptions): ServiceNotifier {
  const { env, log } = options;
  const link = openLink(env["NOTIFY_SOCKET"], log);
  const send = (...lines: readonly string[]): void => link?.send(lines.join("\n"));
  const watchdogMs = watchdogInterval(env);
  return {
    ready: (status) => send("READY=1", statusLine(status)),
    reloading: () => send("RELOADING=1", `MONOTONIC_USEC=${monotonicUsec()}`),
    stopping: (status) => send("STOPPING=1", statusLine(status)),
    status: (text) => send(statusLine(text)),
    extendTimeout: (ms) => send(`EXTEND_TIMEOUT_USEC=${Math.ceil(ms * 1000)}`),
    feedWatchdog(clock) {
      if (link === null || watchdogMs === null) return () => {};
      let cancel = (): void => {};
      const feed = (): void => {
        send("WATCHDOG=1");
        cancel = clock.after(watchdogMs / 2, feed);
      };
      feed();
      return () => cancel();
    },
    close: () => link?.close(),
  };
}

/**
 * The watchdog's interval in ms, or null when none is set or it is meant for another process
 * (sd_watchdog_enabled(3)).
 */
export function watchdogInterval(env: Readonly<Record<string, string | undefined>>): number | null {
  const usec = env["WATCHDOG_USEC"];
  if (usec === undefined || !/^[1-9]\d{0,15}$/.test(usec)) return null;
  const pid = env["WATCHDOG_PID"];
  if (pid !== undefined && pid !== String(process.pid)) return null;
  return Number(usec) / 1000;
}

/**
 * The sockaddr_un of a NOTIFY_SOCKET value. An abstract name has a leading NUL and no trailing one: its length
 * is part of it. Throws KrtdError when the value is neither a path nor an abstract name, or too long.
 */
export function notifyAddress(name: string): Uint8Array {
  const bytes = Buffer.from(name);
  const abstract = bytes[0] === 0x40;
  if (!abstract && bytes[0] !== 0x2f) {
    throw new KrtdError("notify-socket", `Cannot notify ${name}: neither a path nor an abstract socket`);
  }
  const length = abstract ? bytes.length : bytes.length + 1;
  if (length > SUN_PATH_BYTES) {
    throw new KrtdError("notify-socket", `Cannot notify ${name}: longer than ${SUN_PATH_BYTES} bytes`);
  }
  const address = new Uint8Array(2 + length);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(bytes, 2);
  if (abstract) address[2] = 0;
  return address;
}

interface Link {
  send(text: string): void;
  close(): void;
}

function openLink(name: string | undefined, log: Log): Link | null {
  if (name === undefined || name === "") return null;
  let address: Uint8Array;
  try {
    address = notifyAddress(name);
  } catch (error) {
    log.warn("Service manager not notified", { error });
    return null;
  }
  let fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  let warned = false;
  const warn = (errno: number): void => {
    if (!warned) log.warn("Service manager not notified", { socket: name, errno });
    warned = true;
  };
  if (fd < 0) warn(-fd);
  return {
    send(text) {
      if (fd < 0) return;
      const bytes = Buffer.from(text);
      const sent = sendto(fd, bytes, bytes.length, address);
      if (sent < 0) warn(-sent);
    },
    close() {
      if (fd >= 0) close(fd);
      fd = -1;
    },
  };
}

/** A newline would start another assignment. */
function statusLine(text: string): string {
  return `STATUS=${text.replace(/[\r\n]+/g, " ")}`;
}

/** CLOCK_MONOTONIC in µs: on Linux, hrtime reads that clock. */
function monotonicUsec(): string {
  return String(process.hrtime.bigint() / 1000n);
}
