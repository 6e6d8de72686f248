import type { writeSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LogSink } from "../../src/lib/log-sink.ts";

/** A descriptor that follows a script: a number takes that many bytes, a string fails with that code. Then it takes all. */
function scripted(script: (number | string)[]): { sink: LogSink; output: () => string; calls: () => number } {
  let output = "";
  let calls = 0;
  const write = ((_fd: number, bytes: Buffer, at: number): number => {
    calls++;
    const step = script.shift() ?? bytes.length;
    if (typeof step === "string") throw Object.assign(new Error(step), { code: step });
    const taken = bytes.subarray(at, at + step);
    output += taken.toString();
    return taken.length;
  }) as typeof writeSync;
  const sink = new LogSink(2, (count) => `lost ${count}`, write);
  return { sink, output: () => output, calls: () => calls };
}

describe("LogSink", () => {
  it.each<readonly [why: string, script: (number | string)[]]>([
    ["in one piece", []],
    ["in pieces", [1, 2]],
    ["after an interruption", ["EINTR", 3, "EINTR"]],
    ["after a full pipe was emptied", ["EAGAIN", 2, "EAGAIN", "EAGAIN"]],
  ])("writes a line %s", (_why, script) => {
    const { sink, output } = scripted(script);
    sink.write("hello");
    expect(output()).toBe("hello\n");
    expect(sink.lost).toBe(0);
  });

  it.each(["EPIPE", "ENOSPC", "EIO", "EBADF"])(
    "drops a line on %s and tells of it when it can again",
    (code) => {
      const { sink, output } = scripted([code, code]);
      sink.write("one");
      sink.write("two");
      sink.write("three");
      sink.write("four");
      expect(output()).toBe("lost 2\nthree\nfour\n");
      expect(sink.lost).toBe(2);
    },
  );

  it("starts a new line after a torn one", () => {
    const { sink, output } = scripted([2, "ENOSPC"]);
    sink.write("torn");
    sink.write("whole");
    expect(output()).toBe("to\nlost 1\nwhole\n");
  });

  it("gives up on a pipe that stays full, within bounds", () => {
    const { sink, output, calls } = scripted(Array.from({ length: 1000 }, () => "EAGAIN"));
    sink.write("never");
    expect(output()).toBe("");
    expect(sink.lost).toBe(1);
    expect(calls()).toBeLessThan(100);
  });
});
