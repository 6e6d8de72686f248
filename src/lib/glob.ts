/** Names with wildcards, as in `scan kernel*`: `*` is any text, `?` any one character. Linear, never backtracks deeply. */

/** Whether `pattern` has wildcards. */
export function isGlob(pattern: string): boolean {
  return /[*?]/.test(pattern);
}

/** Whether the whole of `name` matches. Only the last `*` is ever retried, which is enough for globs. */
export function globMatches(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let resume = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = n;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === name[n])) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
