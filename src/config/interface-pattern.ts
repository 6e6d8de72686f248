/**
 * Patterns of interface names, with * and ?. Names of interfaces are bytes to the kernel, and one character a byte
 * (latin1) inside krtd; what a pattern could never fit is refused, for it is a mistake.
 */

import type { Complaint } from "./spec-rules.ts";

/** A pattern as it is compared with names: ? stands for one byte. */
export interface InterfacePattern {
  readonly latin1: string;
}

/** IFNAMSIZ - 1 (linux/if.h). */
const LONGEST_NAME = 15;

export function readPattern(text: string): InterfacePattern | Complaint {
  if (text === "") return { message: "A pattern of interface names is empty", hint: null };
  const latin1 = Buffer.from(text, "utf8").toString("latin1");
  const never = `Pattern "${text}" fits no interface`;
  if (latin1 === "." || latin1 === ".." || /[/:\s\0]/.test(latin1)) {
    return { message: `${never}: a name has no spaces, "/" or ":"`, hint: null };
  }
  if (latin1.replaceAll("*", "").length > LONGEST_NAME) {
    return { message: `${never}: a name has at most ${LONGEST_NAME} bytes`, hint: null };
  }
  return { latin1 };
}
