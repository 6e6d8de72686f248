/** The real kernel messages of test/fixtures/netlink (made by capture-netlink.py), for codec tests. */

import { readFileSync } from "node:fs";

export interface CapturedMessage {
  /** What made the kernel send it. */
  readonly command: string;
  /** The payload after nlmsghdr. */
  readonly bytes: Uint8Array;
}

export type FixtureName = "routes-ipv4" | "routes-ipv6" | "links" | "addresses";

/** All messages of one file. Throws when there are none: a test over nothing proves nothing. */
export function capturedMessages(name: FixtureName): readonly CapturedMessage[] {
  const file = new URL(`../fixtures/netlink/${name}.json`, import.meta.url);
  const entries = JSON.parse(readFileSync(file, "utf8")) as { command: string; hex: string }[];
  if (entries.length === 0) throw new Error(`No messages in ${file.pathname}`);
  return entries.map(({ command, hex }) => ({ command, bytes: new Uint8Array(Buffer.from(hex, "hex")) }));
}

export interface ExpectedRoute {
  readonly why: string;
  /** As of routeArguments(). */
  readonly args: string;
  /** As of routeText() in route-text.ts. */
  readonly expected: string;
}

/** What each captured route message must be decoded to. */
export function expectedRoutes(name: "routes-ipv4" | "routes-ipv6"): readonly ExpectedRoute[] {
  const file = new URL(`../fixtures/netlink/${name}.expected.txt`, import.meta.url);
  const lines = readFileSync(file, "utf8").trim().split("\n").slice(1);
  const rows: ExpectedRoute[] = [];
  for (let i = 0; i + 2 < lines.length; i += 3) {
    rows.push({ why: lines[i]!, args: lines[i + 1]!, expected: lines[i + 2]! });
  }
  if (rows.length === 0) throw new Error(`No expectations in ${file.pathname}`);
  return rows;
}

/** The command of a route message from the verb on: "add 192.0.2.0/24 …". */
export function routeArguments(message: CapturedMessage): string {
  return message.command.replace(/^ip (-6 )?route /, "");
}

/** A message inside a larger buffer, as it lies in a receive buffer. */
export interface PlacedMessage {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

/** Puts `message` at offset 32 of a buffer whose other bytes are all `poison`: a decoder must not see them. */
export function placeMessage(message: Uint8Array, poison = 0xaa): PlacedMessage {
  const start = 32;
  const bytes = new Uint8Array(message.length + 2 * start).fill(poison);
  bytes.set(message, start);
  return { bytes, view: new DataView(bytes.buffer), start, end: start + message.length };
}
