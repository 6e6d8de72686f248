import { describe, expect, it } from "vitest";
import { internOrigin, originOf, PLAIN_ORIGIN } from "../../../src/nest/origin.ts";
import { NO_WAY, Trails } from "../../../src/proto/pipe/trails.ts";

describe("Trails.beyond()", () => {
  it("adds the table that is left, and says so again when asked again", () => {
    const trails = new Trails("a", "b");
    const beyond = trails.beyond(PLAIN_ORIGIN);
    expect(originOf(beyond)).toEqual({ protocol: 0, recursive: false, connected: false, trail: ["a"] });
    expect(trails.beyond(PLAIN_ORIGIN)).toBe(beyond);
    expect(new Trails("b", "c").beyond(beyond)).toBe(
      internOrigin({ protocol: 0, recursive: false, connected: false, trail: ["a", "b"] }),
    );
  });

  it("says no to what came through the table ahead, as the first or in between", () => {
    const trails = new Trails("c", "b");
    for (const trail of [["b"], ["a", "b"], ["b", "a"], ["a", "b", "d"]]) {
      const origin = internOrigin({ protocol: 3, recursive: false, connected: false, trail });
      expect([trails.beyond(origin), trails.beyond(origin)]).toEqual([NO_WAY, NO_WAY]);
    }
    expect(trails.full).toBe(false);
  });

  it("says no, and notes it, when there is no number left for one more origin", () => {
    let last = PLAIN_ORIGIN;
    for (let protocol = 1000; last < 0xffff; protocol++) {
      last = internOrigin({ protocol, recursive: false, connected: false, trail: [] });
    }
    const trails = new Trails("x", "y");
    expect(trails.beyond(last)).toBe(NO_WAY);
    expect(trails.full).toBe(true);
  });
});
