import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KrtdError } from "../../src/lib/errors.ts";
import type { LogLevel } from "../../src/lib/log.ts";
import { createLog, detectFormat, type LogFormat, type ProcessLog } from "../../src/lib/pino-log.ts";

let folder: string;
let fd: number;
const file = (): string => join(folder, "log");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "krtd-log-"));
  fd = openSync(file(), "a+");
});
afterEach(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

const open = (format: LogFormat, level: LogLevel = "info"): ProcessLog =>
  createLog({ format, level, fd, env: {} });
const written = (): string => readFileSync(file(), "utf8");
const lines = (): string[] => written().split("\n").slice(0, -1);
const records = (): Record<string, unknown>[] =>
  lines().map((line) => JSON.parse(line) as Record<string, unknown>);

const statOf = (of: number): { dev: bigint; ino: bigint } => fstatSync(of, { bigint: true });

/** What must never reach a terminal or the journal raw, but the newline that ends a line. */
const RAW_CONTROL = /(?!\n)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

describe("createLog()", () => {
  it("writes each level with its journal priority", () => {
    const log = open("journal", "debug");
    log.error("Cannot write");
    log.warn("Scan incomplete");
    log.info("Protocol up", { protocol: "kernel4" });
    log.debug("Route", { dst: "192.0.2.0/24" });
    expect(lines()).toEqual([
      "<3>Cannot write",
      "<4>Scan incomplete",
      "<6>Protocol up protocol=kernel4",
      "<7>Route dst=192.0.2.0/24",
    ]);
  });

  it("writes JSON with level, time, message and fields", () => {
    open("json").info("Protocol up", { protocol: "kernel4", routes: 3 });
    const [record] = records();
    expect(record).toMatchObject({ level: "info", message: "Protocol up", protocol: "kernel4", routes: 3 });
    expect(Math.abs(Date.parse(String(record?.["time"])) - Date.now())).toBeLessThan(60_000);
  });

  it("writes time of day, level and fields for a person", () => {
    open("pretty").warn("Scan incomplete", { table: 254, reason: "overrun of buffer" });
    expect(written()).toMatch(
      /^\d\d:\d\d:\d\d WARN {2}Scan incomplete table=254 reason="overrun of buffer"\n$/,
    );
  });

  it("writes nothing below its level, and says so", () => {
    const log = open("journal", "warn");
    log.info("Protocol up");
    expect(written()).toBe("");
    expect([log.enabled("info"), log.enabled("warn"), log.enabled("error")]).toEqual([false, true, true]);
  });

  it("changes the level of children too", () => {
    const log = open("journal", "error");
    const child = log.child({ protocol: "kernel4" });
    log.setLevel("debug");
    child.debug("Route");
    expect(lines()).toEqual(["<7>Route protocol=kernel4"]);
  });

  it("adds the fields of every ancestor", () => {
    open("journal").child({ protocol: "kernel4" }).child({ table: 254 }).info("Scan", { routes: 7 });
    expect(lines()).toEqual(["<6>Scan protocol=kernel4 table=254 routes=7"]);
  });

  it("does not interpret percent signs", () => {
    open("journal").info("100% of %s %d %%", {});
    expect(lines()).toEqual(["<6>100% of %s %d %%"]);
  });

  it("shows an error that has a code without its stack", () => {
    const cause = Object.assign(new Error("no memory"), { code: "ENOMEM" });
    const error = new KrtdError("scan-failed", "Cannot scan", { hint: "Try again", cause });
    open("journal").error("Scan failed", { error });
    expect(lines()).toEqual([
      '<3>Scan failed error="Cannot scan" error-code=scan-failed error-hint="Try again" error-cause="no memory" error-cause-code=ENOMEM',
    ]);
  });

  it("shows where a bug was thrown, on one line", () => {
    open("journal").error("Bug", { error: new TypeError("x is undefined") });
    expect(lines()).toHaveLength(1);
    expect(written()).toContain("pino-log.test.ts");
  });

  it.each<readonly [why: string, value: unknown, shown: unknown]>([
    ["a bigint", 12n, "12"],
    ["a bigint inside", { a: [1n] }, { a: ["1"] }],
    ["null", null, null],
    ["a map is opaque", new Map([[1, 2]]), {}],
    ["a date", new Date(0), "1970-01-01T00:00:00.000Z"],
  ])("writes %s", (_why, value, shown) => {
    open("json").info("Value", { value });
    expect(records()[0]?.["value"]).toEqual(shown);
  });

  it("survives fields that cannot be written", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    const thrower = {
      get value(): never {
        throw new Error("no");
      },
    };
    const log = open("journal");
    log.info("Loop", { loop });
    log.info("Getter", { thrower });
    log.info("Nothing", { nothing: undefined, call: () => 1 });
    expect(lines()).toEqual([
      '<6>Loop loop="[not representable]"',
      '<6>Getter thrower="[not representable]"',
      "<6>Nothing",
    ]);
  });

  it("does not let fields replace level, time or message", () => {
    open("json").info("Real", { level: "error", time: 0, message: "forged" });
    expect(records()[0]).toMatchObject({
      level: "info",
      message: "Real",
      level_: "error",
      message_: "forged",
    });
  });

  it("keeps hostile text on its own line and without control characters, in every format", () => {
    const hostile = fc.oneof(
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.constantFrom("\n<3>forged", "\u001b[2J", "eth0\u202e", "\u0085x", 'a="b" c=d', "\u2028", "\ud800"),
    );
    const formats = fc.constantFrom<LogFormat>("journal", "pretty", "json");
    let count = 0;
    fc.assert(
      fc.property(hostile, hostile, hostile, formats, (key, value, message, format) => {
        open(format).info(message, { [`k${key}`]: value, nested: { value } });
        count++;
      }),
      { numRuns: 300 },
    );
    expect(lines()).toHaveLength(count);
    expect(written()).not.toMatch(RAW_CONTROL);
  });

  it("counts what a broken descriptor loses, and throws nothing", () => {
    const full = openSync("/dev/full", "w");
    try {
      const log = createLog({ format: "json", level: "info", fd: full, env: {} });
      log.error("Nobody hears this");
      log.error("Nor this");
      expect(log.lost).toBe(2);
    } finally {
      closeSync(full);
    }
  });
});

describe("detectFormat()", () => {
  it("is journal when JOURNAL_STREAM names the descriptor", () => {
    const { dev, ino } = statOf(fd);
    expect(detectFormat(fd, { JOURNAL_STREAM: `${dev}:${ino}` })).toBe("journal");
  });

  it("is JSON when JOURNAL_STREAM names another one: the output was redirected", () => {
    const { dev, ino } = statOf(fd);
    expect(detectFormat(fd, { JOURNAL_STREAM: `${dev}:${ino + 1n}` })).toBe("json");
    expect(detectFormat(fd, { JOURNAL_STREAM: "" })).toBe("json");
  });

  it("is JSON on a file or a closed descriptor", () => {
    expect(detectFormat(fd, {})).toBe("json");
    expect(detectFormat(9999, { JOURNAL_STREAM: "1:2" })).toBe("json");
  });
});
