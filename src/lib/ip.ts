/**
 * IP addresses as four signed 32-bit words in network order (192.0.2.1 → 0xC0000201 | 0; IPv4 uses w0, the
 * rest is 0). Signed because V8 keeps such numbers unboxed. Reading is strict: what this accepts, the kernel
 * and every other tool read the same way (no leading zeros, no octal, no spaces, no zone); writing follows
 * RFC 5952, so that equal addresses are equal strings.
 */

export type Family = 4 | 6;

export interface IpAddress {
  readonly family: Family;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

const COLON = 0x3a;
const DOT = 0x2e;
const ZERO = 0x30;
/** The longest spelling: eight groups of which the last two are dotted. */
const LONGEST = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".length;

/** Reads an IPv4 or IPv6 address; null when `text` is anything else. Never throws. */
export function parseIp(text: string): IpAddress | null {
  if (text.length < 2 || text.length > LONGEST) return null;
  if (text.indexOf(":") >= 0) return parseIp6(text);
  const word = parseIp4Word(text, 0);
  return word === null ? null : { family: 4, w0: word, w1: 0, w2: 0, w3: 0 };
}

/** Four decimal bytes from `at` to the end of the text, as one word. */
function parseIp4Word(text: string, at: number): number | null {
  let word = 0;
  let byte = -1;
  let dots = 0;
  for (let i = at; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (byte < 0 || ++dots > 3) return null;
      word = (word << 8) | byte;
      byte = -1;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || byte === 0) return null;
    byte = byte < 0 ? digit : byte * 10 + digit;
    if (byte > 255) return null;
  }
  return dots === 3 && byte >= 0 ? (word << 8) | byte : null;
}

function parseIp6(text: string): IpAddress | null {
  const groups = [0, 0, 0, 0, 0, 0, 0, 0];
  let count = 0;
  let gap = -1;
  let at = 0;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return null;
    gap = 0;
    at = 2;
  }
  while (at < text.length) {
    if (count === 8) return null;
    let end = at;
    let value = 0;
    for (; end < text.length; end++) {
      const digit = hexDigit(text.charCodeAt(end));
      if (digit < 0) break;
      value = (value << 4) | digit;
      if (end - at === 4) return null;
    }
    if (end < text.length && text.charCodeAt(end) === DOT) {
      const tail = count <= 6 ? parseIp4Word(text, at) : null;
      if (tail === null) return null;
      groups[count++] = tail >>> 16;
      groups[count++] = tail & 0xffff;
      break;
    }
    if (end === at) return null;
    groups[count++] = value;
    if (end === text.length) break;
    if (text.charCodeAt(end) !== COLON) return null;
    at = end + 1;
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return null;
      gap = count;
      at++;
    } else if (at === text.length) return null;
  }
  if (gap < 0 ? count !== 8 : count === 8) return null;
  if (gap >= 0) {
    groups.splice(gap, 0, ...new Array<number>(8 - count).fill(0));
    groups.length = 8;
  }
  return {
    family: 6,
    w0: (groups[0]! << 16) | groups[1]!,
    w1: (groups[2]! << 16) | groups[3]!,
    w2: (groups[4]! << 16) | groups[5]!,
    w3: (groups[6]! << 16) | groups[7]!,
  };
}

function hexDigit(code: number): number {
  if (code >= ZERO && code <= ZERO + 9) return code - ZERO;
  const letter = (code | 0x20) - 0x61;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

/** The one spelling of an address (RFC 5952; IPv4-mapped ones dotted, as its section 5 recommends). */
export function formatIp(family: Family, w0: number, w1: number, w2: number, w3: number): string {
  return family === 4 ? formatIp4Word(w0) : formatIp6(w0, w1, w2, w3);
}

function formatIp4Word(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
}

function formatIp6(w0: number, w1: number, w2: number, w3: number): string {
  if (w0 === 0 && w1 === 0 && w2 === 0xffff) return `::ffff:${formatIp4Word(w3)}`;
  const groups = [
    w0 >>> 16,
    w0 & 0xffff,
    w1 >>> 16,
    w1 & 0xffff,
    w2 >>> 16,
    w2 & 0xffff,
    w3 >>> 16,
    w3 & 0xffff,
  ];
  // The longest run of at least two zero groups becomes "::", the first of several equally long ones.
  let runAt = -1;
  let runLength = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > runLength) {
      runAt = i;
      runLength = end - i;
    }
    i = end;
  }
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === runAt) {
      text += "::";
      i += runLength - 1;
      continue;
    }
    if (i > 0 && i !== runAt + runLength) text += ":";
    text += groups[i]!.toString(16);
  }
  return text;
}

/** formatIp() of an object. */
export function formatAddress(address: IpAddress): string {
  return formatIp(address.family, address.w0, address.w1, address.w2, address.w3);
}

/** Same family and same words. */
export function equalIp(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3;
}
