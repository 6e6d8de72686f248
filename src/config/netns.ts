/**
 * Names of network namespaces: what `ip netns` calls them, or the path of a file that stands for one. The two
 * spellings of one namespace become one here, so that equal strings are enough to tell that they are the same.
 */

import { posix } from "node:path";
import type { Complaint } from "./spec-rules.ts";

/** Where `ip netns add` puts the files; /var/run is a link to /run. */
const NETNS_FILE = /^(?:\/var)?\/run\/netns\/([^/]+)$/;

/** NAME_MAX and PATH_MAX - 1 (linux/limits.h). */
const LONGEST_NAME = 255;
const LONGEST_PATH = 4095;

/** The one spelling of a namespace: a name where it has one, else a path without detours. */
export function readNetns(text: string): string | Complaint {
  const hint = "a name as `ip netns` shows it, or the absolute path of a namespace's file";
  if (text === "") return { message: "netns is empty", hint };
  if (text.includes("\0")) return { message: "netns holds a NUL character", hint };
  const absolute = text.startsWith("/");
  const limit = absolute ? LONGEST_PATH : LONGEST_NAME;
  const bytes = Buffer.byteLength(text);
  if (bytes > limit)
    return { message: `netns has ${bytes} bytes, at most ${limit} are possible`, hint: null };
  if (!absolute) {
    if (!text.includes("/") && text !== "." && text !== "..") return text;
    return { message: `netns must be a name or an absolute path, not "${text}"`, hint };
  }
  const path = posix.normalize(text).replace(/\/$/, "");
  if (path === "") return { message: "netns must be the path of a file, not of a directory", hint };
  return NETNS_FILE.exec(path)?.[1] ?? path;
}

/** " of network namespace …" for a message about something in it; "" for the daemon's own. */
export function ofNetns(netns: string | null): string {
  return netns === null ? "" : ` of network namespace ${netns}`;
}
