/**
 * HOT PATH. Reads the common spellings of a prefix straight from bytes, without making a string. It only ever
 * says yes or "don't know": what it accepts is exactly what lib/prefix.ts reads from the same text, everything
 * else (mistakes, bare addresses, dotted IPv6) is left to that slower reader, which also finds the words for it.
 *
 * The caller guarantees a newline after `at`: every scan stops there, so no index is checked.
 */

const DOT = 0x2e;
const SLASH = 0x2f;
const COLON = 0x3a;

export class PrefixBytes {
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  length = 0;
  private readonly groups = new Int32Array(8);

  /** Reads an IPv4 prefix at `at`: the index after it, or -1. Sets w0 and length (w1–w3 stay 0). */
  read4(bytes: Uint8Array, at: number): number {
    let word = 0;
    let i = at;
    for (let k = 0; k < 4; k++) {
      let value = bytes[i]! - 0x30;
      if (value < 0 || value > 9) return -1;
      i++;
      if (value > 0) {
        let digit = bytes[i]! - 0x30;
        if (digit >= 0 && digit <= 9) {
          value = value * 10 + digit;
          digit = bytes[++i]! - 0x30;
          if (digit >= 0 && digit <= 9) {
            value = value * 10 + digit;
            i++;
          }
        }
      }
      if (value > 255 || bytes[i] !== (k === 3 ? SLASH : DOT)) return -1;
      i++;
      word = (word << 8) | value;
    }
    i = this.readLength(bytes, i, 32);
    if (i < 0) return -1;
    if (this.length < 32 && (word & (-1 >>> this.length)) !== 0) return -1;
    this.w0 = word;
    return i;
  }

  /** Reads an IPv6 prefix at `at`: the index after it, or -1. Sets w0–w3 and length. */
  read6(bytes: Uint8Array, at: number): number {
    const { groups } = this;
    let i = at;
    let count = 0;
    let gap = -1;
    if (bytes[i] === COLON) {
      if (bytes[i + 1] !== COLON) return -1;
      gap = 0;
      i += 2;
    }
    while (bytes[i] !== SLASH) {
      if (count === 8) return -1;
      let value = 0;
      const from = i;
      for (let digit = hexDigit(bytes[i]!); digit >= 0; digit = hexDigit(bytes[++i]!)) {
        value = (value << 4) | digit;
        if (i - from === 4) return -1;
      }
      if (i === from) return -1;
      groups[count++] = value;
      if (bytes[i] === SLASH) break;
      if (bytes[i] !== COLON) return -1;
      i++;
      if (bytes[i] === COLON) {
        if (gap >= 0) return -1;
        gap = count;
        i++;
      } else if (bytes[i] === SLASH) return -1;
    }
    if (gap < 0 ? count !== 8 : count === 8) return -1;
    if (gap >= 0) {
      const moved = 8 - count;
      for (let k = 7; k >= gap + moved; k--) groups[k] = groups[k - moved]!;
      groups.fill(0, gap, gap + moved);
    }
    i = this.readLength(bytes, i + 1, 128);
    if (i < 0) return -1;
    this.w0 = (groups[0]! << 16) | groups[1]!;
    this.w1 = (groups[2]! << 16) | groups[3]!;
    this.w2 = (groups[4]! << 16) | groups[5]!;
    this.w3 = (groups[6]! << 16) | groups[7]!;
    const { length } = this;
    const hostBits =
      (this.w0 & hostMask(length)) |
      (this.w1 & hostMask(length - 32)) |
      (this.w2 & hostMask(length - 64)) |
      (this.w3 & hostMask(length - 96));
    return hostBits === 0 ? i : -1;
  }

  /** One to three digits without a leading zero, up to `limit`. */
  private readLength(bytes: Uint8Array, at: number, limit: number): number {
    let value = bytes[at]! - 0x30;
    if (value < 0 || value > 9) return -1;
    let i = at + 1;
    if (value > 0) {
      for (let digit = bytes[i]! - 0x30; digit >= 0 && digit <= 9; digit = bytes[++i]! - 0x30) {
        value = value * 10 + digit;
        if (value > limit) return -1;
      }
    }
    this.length = value;
    return i;
  }
}

/** The bits of a word that lie beyond the first `bits` bits. */
function hostMask(bits: number): number {
  if (bits >= 32) return 0;
  return bits <= 0 ? -1 : -1 >>> bits;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = (code | 0x20) - 0x61;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}
