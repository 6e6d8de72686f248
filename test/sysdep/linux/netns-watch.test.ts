import { describe, expect, it } from "vitest";
import { type NetnsSight, NetnsWatcher } from "../../../src/sysdep/linux/netns-watch.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** One directory, /run/netns, and what is in it. */
class FakeSight implements NetnsSight {
  /** By path; null: a file that is no namespace (yet). */
  readonly files = new Map<string, string | null>();
  /** Serial of the directory; 0: it does not exist. */
  directory = 1;
  looks = 0;
  readonly watchers = new Set<(name: string | null) => void>();

  identify(path: string): string | null {
    this.looks++;
    return this.files.get(path) ?? null;
  }

  watchDirectory(directory: string, changed: (name: string | null) => void) {
    expect(directory).toBe("/run/netns");
    const serial = this.directory;
    if (serial === 0) return null;
    this.watchers.add(changed);
    return {
      isCurrent: () => this.directory === serial,
      close: () => void this.watchers.delete(changed),
    };
  }

  tell(name: string | null): void {
    for (const watcher of [...this.watchers]) watcher(name);
  }
}

const PATH = "/run/netns/blue";

function setUp(first: string | null = null) {
  const clock = new FakeClock();
  const sight = new FakeSight();
  if (first !== null) sight.files.set(PATH, first);
  const seen: (string | null)[] = [];
  const watcher = new NetnsWatcher("blue", () => seen.push(watcher.identity()), clock, sight);
  return { clock, sight, seen, watcher };
}

describe("NetnsWatcher", () => {
  it("knows the namespace that is there at first, and says nothing of it", async () => {
    const { clock, seen, watcher } = setUp("4:7");
    expect(watcher.identity()).toBe("4:7");
    await clock.advance(10_000);
    expect(seen).toEqual([]);
  });

  it("tells one that came, with an event for the file only and none for its mount", async () => {
    const { clock, sight, seen } = setUp();
    sight.files.set(PATH, null);
    sight.tell("blue");
    await clock.advance(5);
    sight.files.set(PATH, "4:7");
    expect(seen).toEqual([]);
    await clock.advance(5);
    expect(seen).toEqual(["4:7"]);
  });

  it("tells one whose mount took its time, without waiting a whole second", async () => {
    const { clock, sight, seen } = setUp();
    sight.tell("blue");
    await clock.advance(300);
    sight.files.set(PATH, "4:7");
    await clock.advance(330);
    expect(seen).toEqual(["4:7"]);
  });

  it("tells one that went, at once", () => {
    const { sight, seen } = setUp("4:7");
    sight.files.delete(PATH);
    sight.tell("blue");
    expect(seen).toEqual([null]);
  });

  it("tells one that was replaced between two looks, once", async () => {
    const { clock, sight, seen } = setUp("4:7");
    sight.files.set(PATH, "4:8");
    sight.tell("blue");
    sight.tell("blue");
    await clock.advance(5000);
    expect(seen).toEqual(["4:8"]);
  });

  it("looks when the event does not say at which name, and not at events of other names", () => {
    const { sight, seen } = setUp();
    const looks = sight.looks;
    sight.tell("red");
    expect(sight.looks).toBe(looks);
    sight.files.set(PATH, "4:7");
    sight.tell(null);
    expect(seen).toEqual(["4:7"]);
  });

  it.each([
    ["the directory does not exist", 0],
    ["no event comes", 1],
  ])("looks every second though %s", async (_why, directory) => {
    const { clock, sight, seen } = setUp();
    sight.directory = directory;
    await clock.advance(4000);
    sight.files.set(PATH, "4:7");
    await clock.advance(1000);
    expect(seen).toEqual(["4:7"]);
  });

  it("watches the directory once it comes, and again when it is another one", async () => {
    const clock = new FakeClock();
    const sight = new FakeSight();
    sight.directory = 0;
    const seen: unknown[] = [];
    const watcher = new NetnsWatcher("blue", () => seen.push(watcher.identity()), clock, sight);
    expect(sight.watchers.size).toBe(0);
    for (const serial of [2, 3]) {
      sight.directory = serial;
      await clock.advance(1000);
      expect(sight.watchers.size).toBe(1);
    }
    sight.files.set(PATH, "4:7");
    sight.tell("blue");
    expect(seen).toEqual(["4:7"]);
  });

  it("looks once a second and no more when nothing happens", async () => {
    const { clock, sight } = setUp("4:7");
    sight.tell("blue");
    await clock.advance(3000);
    const looks = sight.looks;
    await clock.advance(10_000);
    expect(sight.looks - looks).toBe(10);
  });

  it("is silent once closed, also from inside its own call", async () => {
    const { clock, sight, seen, watcher } = setUp();
    watcher.close();
    watcher.close();
    expect(sight.watchers.size).toBe(0);
    sight.files.set(PATH, "4:7");
    await clock.advance(5000);
    expect(seen).toEqual([]);

    const again: NetnsWatcher = new NetnsWatcher("blue", () => again.close(), clock, sight);
    sight.files.delete(PATH);
    sight.tell("blue");
    const looks = sight.looks;
    await clock.advance(5000);
    expect(sight.looks).toBe(looks);
  });
});
