import { describe, expect, it } from "vitest";
import {
  Failures,
  ReleasedGroups,
  type RetryClass,
  retryClass,
  WaitingRoutes,
} from "../../../src/proto/kernel/retry.ts";

describe("retryClass()", () => {
  const rows: readonly {
    name: string;
    errno: number;
    prefsrc?: boolean;
    gateway?: boolean;
    is: RetryClass;
    why: string;
  }[] = [
    { name: "ENETUNREACH", errno: 101, is: "wait", why: "IPv4 gateway not on-link now" },
    { name: "EHOSTUNREACH", errno: 113, is: "wait", why: "IPv6 gateway not on-link now" },
    { name: "ENETDOWN", errno: 100, is: "wait", why: "device down" },
    { name: "ENODEV", errno: 19, is: "wait", why: "device gone" },
    { name: "EINVAL", errno: 22, is: "permanent", why: "the request is wrong" },
    { name: "EINVAL", errno: 22, prefsrc: true, is: "wait", why: "the source address may come" },
    {
      name: "EINVAL",
      errno: 22,
      gateway: true,
      is: "refused",
      why: "the gateway may be a local address only today",
    },
    {
      name: "EACCES",
      errno: 13,
      is: "wait",
      why: "IPv6 is switched off on the device, or a rule prohibits the gateway",
    },
    { name: "ERANGE", errno: 34, is: "permanent", why: "the request is wrong" },
    { name: "EOPNOTSUPP", errno: 95, is: "permanent", why: "the kernel cannot" },
    { name: "EEXIST", errno: 17, is: "rival", why: "somebody owns the key" },
    { name: "ENOMEM", errno: 12, is: "load", why: "passes" },
    { name: "ENOBUFS", errno: 105, is: "load", why: "passes" },
    { name: "EBUSY", errno: 16, is: "load", why: "passes" },
    { name: "EAGAIN", errno: 11, is: "load", why: "passes" },
    { name: "EPERM", errno: 1, is: "fatal", why: "no privilege" },
  ];
  it.each(rows)("says $is for $name: $why", ({ errno, prefsrc = false, gateway = false, is }) => {
    expect(retryClass(errno, { prefsrc, gateway })).toBe(is);
  });
});

describe("Failures", () => {
  it("gives equal failures one id and finds them again", () => {
    const failures = new Failures();
    const id = failures.intern({ errno: 101, message: "Nexthop has invalid gateway", class: "wait" });
    expect(failures.intern({ errno: 101, message: "Nexthop has invalid gateway", class: "wait" })).toBe(id);
    expect(failures.intern({ errno: 101, message: "other", class: "wait" })).not.toBe(id);
    expect(failures.get(id)).toMatchObject({ errno: 101, message: "Nexthop has invalid gateway" });
    expect(failures.get(0)).toBeNull();
  });

  it("stays within 16 bits whatever the kernel says", () => {
    const failures = new Failures();
    let last = 0;
    for (let i = 0; i < 70_000; i++)
      last = failures.intern({ errno: 22, message: `text ${i}`, class: "permanent" });
    expect(last).toBeLessThan(65_536);
    expect(failures.get(last)?.errno).toBe(22);
  });
});

describe("WaitingRoutes", () => {
  function setup() {
    const references = new Map<number, number>();
    const count = (id: number, by: number) => references.set(id, (references.get(id) ?? 0) + by);
    const waiting = new WaitingRoutes({ retain: (id) => count(id, 1), release: (id) => count(id, -1) });
    return { waiting, references };
  }

  it("knows of no failure while the only one of a group is being tried", () => {
    const waiting = new WaitingRoutes({ retain: () => {}, release: () => {} });
    waiting.add(1, 7, 3);
    expect(waiting.failureOf(7)).toBe(3);
    waiting.probe(
      () => true,
      () => {},
    );
    expect(waiting.failureOf(7)).toBe(0);
    waiting.add(1, 7, 4);
    expect(waiting.failureOf(7)).toBe(4);
  });

  it("tries one route of a group and holds the others back", () => {
    const { waiting, references } = setup();
    for (const node of [1, 2, 3]) waiting.add(node, 7, 4);
    waiting.add(9, 8, 5);
    const tried: number[] = [];
    waiting.probe(
      () => true,
      (node) => tried.push(node),
    );
    expect(tried.sort()).toEqual([3, 9]);
    expect(waiting.failureOf(7)).toBe(4);
    expect(waiting.release(7)).toEqual([1, 2]);
    expect(waiting.failureOf(7)).toBe(0);
    expect(references.get(7)).toBe(0);
  });

  it("lists a route once, however often it is announced again", () => {
    const { waiting } = setup();
    for (let i = 0; i < 1000; i++) waiting.add(1, 7, 4);
    waiting.add(1, 8, 4);
    waiting.add(1, 7, 4);
    expect(waiting.release(8)).toEqual([1]);
    expect(waiting.release(7)).toEqual([1, 1]);
    waiting.add(1, 7, 4);
    expect(waiting.release(7)).toEqual([1]);
  });

  it("forgets a group whose members all stopped waiting", () => {
    const { waiting, references } = setup();
    waiting.add(1, 7, 4);
    const tried: number[] = [];
    waiting.probe(
      () => false,
      (node) => tried.push(node),
    );
    expect(tried).toEqual([]);
    expect(waiting.groupCount).toBe(0);
    expect(references.get(7)).toBe(0);
  });

  it("does not grow with routes that go to and fro between two groups", () => {
    const { waiting } = setup();
    const nodes = Array.from({ length: 2000 }, (_, i) => i + 1);
    for (let round = 0; round < 20; round++) {
      for (const attrs of [8, 7]) for (const node of nodes) waiting.add(node, attrs, 4);
    }
    expect(waiting.release(8).length).toBeLessThan(3 * nodes.length);
    const listed = waiting.release(7);
    expect(listed.length).toBeLessThan(3 * nodes.length);
    expect(new Set(listed)).toEqual(new Set(nodes));
  });
});

describe("ReleasedGroups", () => {
  function setup() {
    const references = new Map<number, number>();
    const count = (id: number, by: number) => references.set(id, (references.get(id) ?? 0) + by);
    const released = new ReleasedGroups({ retain: (id) => count(id, 1), release: (id) => count(id, -1) });
    return { released, held: () => [...references.values()].reduce((sum, one) => sum + one, 0) };
  }

  it("gives out the members of one group after the other, and its reference with the last", () => {
    const { released, held } = setup();
    released.add(7, [1, 2]);
    released.add(8, []);
    released.add(9, [3]);
    const taken: string[] = [];
    const take = (): void => released.take((node, attrs) => taken.push(`${node} with ${attrs}`));
    take();
    expect([released.size, held()]).toEqual([2, 2]);
    take();
    released.add(7, [4]);
    expect([released.size, held()]).toEqual([2, 2]);
    take();
    take();
    expect(taken).toEqual(["1 with 7", "2 with 7", "3 with 9", "4 with 7"]);
    expect([released.size, held()]).toEqual([0, 0]);
    released.add(7, [1, 2]);
    take();
    released.clear();
    expect([released.size, held()]).toEqual([0, 0]);
  });

  it("takes no longer with a hundred thousand groups", () => {
    const { released, held } = setup();
    for (let attrs = 1; attrs <= 100_000; attrs++) released.add(attrs, [attrs, attrs + 1]);
    let taken = 0;
    while (released.size > 0) released.take(() => taken++);
    expect([taken, held()]).toEqual([200_000, 0]);
  });
});
