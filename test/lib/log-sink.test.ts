import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, type writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { describe, expect, it } from "vitest";
import { LogSink, nonBlocking } from "../../src/lib/log-sink.ts";

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

  it("does not wait again for a pipe that stays full, and waits again once it was emptied", () => {
    const full = Array.from({ length: 23 }, () => "EAGAIN");
    const { sink, output, calls } = scripted([...full, 100, "EAGAIN", "EAGAIN"]);
    sink.write("waited for");
    const before = calls();
    sink.write("at once");
    expect(calls() - before).toBe(1);
    while (calls() < full.length) sink.write("at once");
    sink.write("emptied");
    sink.write("waited for again");
    expect(output()).toBe(`lost ${sink.lost}\nemptied\nwaited for again\n`);
  });
});

describe("nonBlocking()", () => {
  /** O_NONBLOCK of an open descriptor. */
  const isNonBlocking = (fd: number): boolean => {
    const [, flags = ""] = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
    return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) !== 0;
  };

  it("opens a pipe anew, and leaves the one it got blocking", () => {
    const directory = mkdtempSync(join(tmpdir(), "krtd-sink-"));
    const path = join(directory, "fifo");
    execFileSync("mkfifo", [path]);
    const [held, blocking] = [openSync(path, constants.O_RDWR), openSync(path, constants.O_WRONLY)];
    const own = nonBlocking(blocking);
    try {
      expect(own).not.toBe(blocking);
      expect([isNonBlocking(blocking), isNonBlocking(own)]).toEqual([false, true]);
      const sink = new LogSink(own, (count) => `lost ${count}`);
      // More than fits into any pipe: this would never return.
      for (let i = 0; i < 2_000; i++) sink.write("x".repeat(1_000));
      expect(sink.lost).toBeGreaterThan(900);
    } finally {
      for (const fd of [held, blocking, own]) closeSync(fd);
      rmSync(directory, { recursive: true });
    }
  });

  it("writes to a terminal that takes nothing (Ctrl-S) without waiting", () => {
    const libc = koffi.load("libc.so.6");
    const master = openSync("/dev/ptmx", constants.O_RDWR | constants.O_NOCTTY);
    expect(libc.func("int unlockpt(int fd)")(master)).toBe(0);
    const name = String(libc.func("const char *ptsname(int fd)")(master));
    const terminal = openSync(name, constants.O_WRONLY | constants.O_NOCTTY);
    const own = nonBlocking(terminal);
    try {
      expect(isNonBlocking(terminal)).toBe(false);
      const sink = new LogSink(own, (count) => `lost ${count}`);
      for (let i = 0; i < 200; i++) sink.write("x".repeat(1_000));
      expect(sink.lost).toBeGreaterThan(50);
    } finally {
      for (const fd of [terminal, own, master]) closeSync(fd);
    }
  });

  it("leaves a file, and what cannot be opened, as it is", () => {
    const file = openSync("/etc/hostname", "r");
    expect([nonBlocking(file), nonBlocking(9999)]).toEqual([file, 9999]);
    closeSync(file);
  });
});
