/** Checks that hold by construction: they throw on bugs in krtd, never on bad input. */

/** Ends a switch over a union: the compiler proves that it cannot be reached. */
export function assertNever(value: never): never {
  throw new Error(`Unreachable: ${JSON.stringify(value)}`);
}

/** Throws when `condition` is false. `message` says which invariant broke. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${message}`);
}
