/** A process with the kernel's rights but not the kernel: it sends netlink messages that look like the kernel's. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import {
  AF_NETLINK,
  NETLINK_ROUTE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
} from "../../../src/sysdep/linux/netlink/constants.ts";
import * as libc from "../../../src/sysdep/linux/netlink/libc.ts";
import type { Netns } from "../../support/netns.ts";

/** asm-generic/socket.h: a receiver whose buffer is full makes the sender wait. */
const SO_SNDTIMEO = 21;
const SEND_TIMEOUT_US = 5000n;
const SOCKADDR_LENGTH = 12;

export interface Forger extends Disposable {
  /** Sends bytes to the socket with that port; false: its buffer is full. */
  toPort(port: number, bytes: Uint8Array): boolean;
  /** Sends bytes to a multicast group (RTNLGRP_*). */
  toGroup(group: number, bytes: Uint8Array): void;
}

export function openForger(ns: Netns): Forger {
  const fd = ns.inside(() => libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (fd < 0) throw new Error(`Cannot open a netlink socket: errno ${-fd}`);
  const timeout = new Uint8Array(new ArrayBuffer(128)).subarray(0, 16);
  new DataView(timeout.buffer).setBigInt64(8, SEND_TIMEOUT_US, true);
  libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeout);
  const send = (port: number, groups: number, bytes: Uint8Array): number => {
    const address = new Uint8Array(new ArrayBuffer(128)).subarray(0, SOCKADDR_LENGTH);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(4, port, true);
    view.setUint32(8, groups, true);
    return libc.sendto(fd, bytes, bytes.length, address);
  };
  return {
    toPort(port, bytes) {
      const sent = send(port, 0, bytes);
      const EAGAIN = 11;
      // Nobody has the port yet, or any more.
      const ECONNREFUSED = 111;
      if (sent < 0 && sent !== -EAGAIN && sent !== -ECONNREFUSED)
        throw new Error(`Cannot send to port ${port}: errno ${-sent}`);
      return sent >= 0;
    },
    toGroup(group, bytes) {
      const sent = send(0, 1 << (group - 1), bytes);
      if (sent < 0) throw new Error(`Cannot send to group ${group}: errno ${-sent}`);
    },
    [Symbol.dispose]: () => void libc.close(fd),
  };
}

export interface NetlinkPort {
  readonly port: number;
  /** Bit mask of the groups it has joined; 0: it dumps or commands. */
  readonly groups: number;
}

/** The rtnetlink sockets of a process in its own namespace, as /proc shows them. */
export function netlinkPorts(pid: number): NetlinkPort[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
  const rows = readFileSync(`/proc/${pid}/net/netlink`, "utf8").trim().split("\n").slice(1);
  return rows.flatMap((row) => {
    const fields = row.trim().split(/\s+/);
    const mine = fields[1] === "0" && inodes.has(fields[9] ?? "");
    return mine ? [{ port: Number(fields[2]), groups: Number.parseInt(fields[3] ?? "0", 16) }] : [];
  });
}
