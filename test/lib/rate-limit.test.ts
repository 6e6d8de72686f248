import { describe, expect, it } from "vitest";
import { type Log, type LogFields, silentLog } from "../../src/lib/log.ts";
import { rateLimited } from "../../src/lib/rate-limit.ts";
import { FakeClock } from "../support/fake-clock.ts";

type Line = readonly [level: string, message: string, fields: LogFields | undefined];

function setUp(): { log: Log; lines: Line[]; clock: FakeClock } {
  const lines: Line[] = [];
  const note = (level: string) => (message: string, fields?: LogFields) => {
    lines.push([level, message, fields]);
  };
  const target: Log = {
    ...silentLog,
    error: note("error"),
    warn: note("warn"),
    info: note("info"),
    debug: note("debug"),
    enabled: () => true,
    child: () => target,
  };
  const clock = new FakeClock();
  const log = rateLimited(target, clock, { burst: 2, windowMs: 1000 });
  return { log, lines, clock };
}

describe("rateLimited()", () => {
  it("lets the burst through and counts the rest", async () => {
    const { log, lines, clock } = setUp();
    for (let i = 0; i < 5; i++) log.warn("Route refused", { i });
    expect(lines.map(([, , fields]) => fields?.["i"])).toEqual([0, 1]);
    await clock.advance(1000);
    log.warn("Route refused", { i: 5 });
    expect(lines.slice(2)).toEqual([
      ["warn", "Similar messages were left out", { similar: "Route refused", count: 3 }],
      ["warn", "Route refused", { i: 5 }],
    ]);
  });

  it("tells the count with the next message of any kind", async () => {
    const { log, lines, clock } = setUp();
    for (let i = 0; i < 3; i++) log.warn("Route refused");
    await clock.advance(1000);
    log.info("Protocol up");
    expect(lines.map(([, message]) => message).slice(2)).toEqual([
      "Similar messages were left out",
      "Protocol up",
    ]);
  });

  it("counts each message by itself, and children together", () => {
    const { log, lines } = setUp();
    const children = [log.child({ a: 1 }), log.child({ a: 2 })];
    for (const child of children) {
      for (let i = 0; i < 3; i++) child.warn("Route refused");
      child.info("Protocol up");
    }
    expect(lines.filter(([, message]) => message === "Route refused")).toHaveLength(2);
    expect(lines.filter(([, message]) => message === "Protocol up")).toHaveLength(2);
  });

  it("never limits debug", () => {
    const { log, lines } = setUp();
    for (let i = 0; i < 10; i++) log.debug("Route");
    expect(lines).toHaveLength(10);
  });

  it("says nothing when nothing was left out", async () => {
    const { log, lines, clock } = setUp();
    log.warn("Route refused");
    await clock.advance(5000);
    log.warn("Route refused");
    expect(lines).toHaveLength(2);
  });
});
