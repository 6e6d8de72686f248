import { describe, expect, it } from "vitest";
import { Gate } from "../../src/lib/gate.ts";

const isOpen = (gate: Gate): Promise<boolean> =>
  Promise.race([gate.opened.then(() => true), new Promise<boolean>((done) => setImmediate(done, false))]);

describe("Gate", () => {
  it("opens once, for all who wait", async () => {
    const gate = new Gate();
    const first = gate.opened;
    expect(await isOpen(gate)).toBe(false);
    gate.open();
    gate.open();
    await first;
    expect(await isOpen(gate)).toBe(true);
  });

  it.each(["resolves", "rejects"])("shutUntil() shuts it for who comes later, until that %s", async (how) => {
    const gate = new Gate();
    const before = gate.opened;
    const { promise, resolve, reject } = withResolvers();
    gate.shutUntil(promise);
    await before;
    expect(await isOpen(gate)).toBe(false);
    if (how === "resolves") resolve();
    else reject(new Error("no"));
    await gate.opened;
  });

  it("open() does not wait for what it is shut until, nor does that open what was shut since", async () => {
    const gate = new Gate();
    const { promise, resolve } = withResolvers();
    gate.shutUntil(promise);
    gate.open();
    expect(await isOpen(gate)).toBe(true);
    gate.shutUntil(new Promise(() => {}));
    resolve();
    expect(await isOpen(gate)).toBe(false);
  });
});

function withResolvers(): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
} {
  let resolve = (): void => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
