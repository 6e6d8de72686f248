/** A service manager's end of NOTIFY_SOCKET: a real datagram socket, as systemd binds one, and what came there. */

import { bind, close, recvfrom, socket } from "../../src/sysdep/linux/netlink/libc.ts";
import { notifyAddress } from "../../src/sysdep/linux/sd-notify.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

export interface NotifySocket extends Disposable {
  /** The value for NOTIFY_SOCKET. */
  readonly name: string;
  /** Every datagram so far, as text. */
  received(): readonly string[];
}

/** Binds a datagram socket at `path`. */
export function bindNotifySocket(path: string): NotifySocket {
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  const failed = fd < 0 ? fd : bind(fd, notifyAddress(path));
  if (failed < 0) throw new Error(`Cannot bind ${path}: errno ${-failed}`);
  const all: string[] = [];
  const bytes = new Uint8Array(4096);
  return {
    name: path,
    received() {
      for (;;) {
        const length = recvfrom(fd, bytes, MSG_DONTWAIT, new Uint8Array(128));
        if (length < 0) return all;
        all.push(Buffer.from(bytes.subarray(0, length)).toString());
      }
    },
    [Symbol.dispose]: () => void close(fd),
  };
}
