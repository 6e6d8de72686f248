import { describe, expect, it } from "vitest";
import { metricsText } from "../../src/control/render-metrics.ts";
import { congestionId } from "../../src/lib/congestion-names.ts";

function read(metrics: readonly (readonly [number, number])[]): unknown {
  return JSON.parse(`{${metricsText(new Map(metrics)).slice(1)}}`);
}

describe("metricsText()", () => {
  it.each<[number, number, object, string]>([
    [2, 1400, { mtu: 1400 }, "the MTU stands beside the others"],
    [3, 100, { metrics: { window: 100 } }, "a number"],
    [4, 800, { metrics: { rtt: 100 } }, "eighths of a millisecond"],
    [4, 3, { metrics: { rtt: 0.375 } }, "less than one"],
    [5, 80, { metrics: { rttvar: 20 } }, "quarters of a millisecond"],
    [6, 5, { metrics: { ssthresh: 5 } }, "a number"],
    [7, 10, { metrics: { cwnd: 10 } }, "a number"],
    [8, 1360, { metrics: { advmss: 1360 } }, "a number"],
    [9, 4, { metrics: { reordering: 4 } }, "a number"],
    [10, 64, { metrics: { hoplimit: 64 } }, "a number"],
    [11, 11, { metrics: { initcwnd: 11 } }, "a number"],
    [12, 1, { metrics: { features: ["ecn"] } }, "a bit with a name"],
    [12, 1 | (1 << 31), { metrics: { features: ["ecn", "feature31"] } }, "a bit of tomorrow"],
    [13, 5, { metrics: { rto_min: 5 } }, "milliseconds"],
    [14, 12, { metrics: { initrwnd: 12 } }, "a number"],
    [15, 1, { metrics: { quickack: 1 } }, "a number"],
    [16, congestionId("cubic"), { metrics: { congctl: "cubic" } }, "an interned name"],
    [16, congestionId('x"\u00ff'), { metrics: { congctl: 'x"\u00ff' } }, "a name of any bytes"],
    [16, 0x7fffffff, { metrics: { congctl: "2147483647" } }, "a name nobody gave"],
    [17, 1, { metrics: { fastopen_no_cookie: 1 } }, "a number"],
    [1, (1 << 2) | (1 << 13), { metrics: { lock: ["mtu", "rto_min"] } }, "bits are metrics"],
    [3, -1, { metrics: { window: 0xffffffff } }, "unsigned"],
  ])("shows RTAX %i = %i as %j: %s", (rtax, value, shown) => {
    expect(read([[rtax, value]])).toEqual(shown);
  });

  it("is empty for none, and pure ASCII whatever the name", () => {
    expect(metricsText(new Map())).toBe("");
    expect(metricsText(new Map([[16, congestionId("\x1b\u00ff")]]))).toMatch(/^[ -~]*$/);
  });
});
