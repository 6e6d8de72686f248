import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ALIKE_RECORDS,
  ALIKE_TYPE,
  acceptedList,
  JSON_TYPE,
  NDJSON_TYPE,
} from "../../src/control/list-type.ts";
import { addSampleRoutes, makeRouter, type Router, startRouter } from "../support/control-fixture.ts";
import { ask } from "../support/http-unix.ts";

/** As any other program would read it, by docs/api.md. */
function expand(text: string): string[] {
  const objects: string[] = [];
  let count = 0;
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      if (line.startsWith("{")) {
        objects[count++ % ALIKE_RECORDS] = line;
        return line;
      }
      const [number, dst] = JSON.parse(line) as [number, string];
      return objects[number]!.replace(/"dst":"[^"]*"/, `"dst":"${dst}"`);
    });
}

async function both(
  router: Router,
  path: string,
): Promise<{ readonly whole: string; readonly alike: string }> {
  const running = await startRouter(router);
  try {
    const whole = await ask(running.path, path, { accept: NDJSON_TYPE });
    const alike = await ask(running.path, path, { accept: ALIKE_TYPE });
    expect([whole.status, whole.headers["content-type"]]).toEqual([200, NDJSON_TYPE]);
    expect([alike.status, alike.headers["content-type"]]).toEqual([200, ALIKE_TYPE]);
    return { whole: whole.text, alike: alike.text };
  } finally {
    await running.stop();
  }
}

function expectSame({ whole, alike }: { readonly whole: string; readonly alike: string }): void {
  expect(
    expand(alike)
      .map((line) => `${line}\n`)
      .join(""),
  ).toBe(whole);
}

describe("a list that tells once what routes share", () => {
  it.each(["/v1/routes", "/v1/routes?all", "/v1/static", "/v1/kernel"])("is the list of %s", async (path) => {
    const router = await makeRouter();
    addSampleRoutes(router);
    const way = { hops: [{ via: "192.0.2.1", device: 2 }] };
    for (let i = 0; i < 20; i++) {
      router.route("uplinks", `100.64.${i}.0/24`, way);
      router.kernelRoute(router.kernel4, `100.64.${i}.0/24`, way);
    }
    const { whole, alike } = await both(router, path);
    expectSame({ whole, alike });
    if (path !== "/v1/static") expect(alike.match(/^\[\d+,"100\.64\./gm)?.length).toBeGreaterThan(10);
  });

  it("tells every difference: of attributes, source, metric, preference, state, and what the kernel said", async () => {
    const routes = fc.array(
      fc.record({
        via: fc.constantFrom("192.0.2.1", "192.0.2.2"),
        protocol: fc.constantFrom("uplinks", "lab"),
        metric: fc.constantFrom(0, 7),
        state: fc.constantFrom("synced", "pending"),
        message: fc.constantFrom(null, "Network is down"),
        attempts: fc.constantFrom(0, 2),
      }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(routes, async (drawn) => {
        const router = await makeRouter();
        for (const [i, { via, protocol, metric, ...status }] of drawn.entries()) {
          const node = router.route(protocol, `100.64.${i}.0/24`, { hops: [{ via, device: 2 }], metric });
          if (protocol === "lab") continue;
          router.kernel4.statuses.set(node, { ...status, state: status.state as "synced" | "pending" });
        }
        expectSame(await both(router, "/v1/routes"));
      }),
      { numRuns: 30 },
    );
  });

  it("tells long records whole, however alike they are, and counts them", async () => {
    const router = await makeRouter();
    const hops = Array.from({ length: 100 }, (_, i) => ({ via: `192.0.2.${i}`, device: 2 }));
    for (let i = 0; i < 6; i++) {
      router.route("uplinks", `100.64.${i}.0/24`, i % 3 === 0 ? { hops } : { hops: hops.slice(0, 1) });
    }
    const { whole, alike } = await both(router, "/v1/routes");
    expectSame({ whole, alike });
    expect(alike.split("\n").filter((line) => line.length > 4096)).toHaveLength(2);
  });

  it("begins to count anew after as many objects as can be referred to", async () => {
    const router = await makeRouter();
    for (let i = 0; i < 3 * ALIKE_RECORDS; i++) {
      const via = `192.0.${2 + ((i >> 1) >> 8)}.${(i >> 1) & 255}`;
      router.route("uplinks", `100.${i >> 8}.${i & 255}.0/24`, { hops: [{ via, device: 2 }] });
    }
    const { whole, alike } = await both(router, "/v1/routes");
    expectSame({ whole, alike });
    // Of each two the second, if both came in the same millisecond.
    expect(alike.match(/^\[/gm)?.length).toBeGreaterThan(ALIKE_RECORDS);
  });
});

describe("acceptedList()", () => {
  it.each([
    [undefined, JSON_TYPE],
    ["*/*", JSON_TYPE],
    ["application/json", JSON_TYPE],
    ["application/x-ndjson", NDJSON_TYPE],
    ["application/x-ndjson;q=0.9, */*", NDJSON_TYPE],
    ["application/x-ndjson; profile=other", NDJSON_TYPE],
    ["application/x-ndjson; profile=alike", ALIKE_TYPE],
    ['application/x-ndjson;profile="alike"', ALIKE_TYPE],
    ["application/x-ndjson;profile=alike;q=1, */*", ALIKE_TYPE],
    ["application/json; profile=alike", JSON_TYPE],
    ["application/x-ndjson, application/json; profile=alike", NDJSON_TYPE],
    ["application/x-ndjson; profile=alike, application/x-ndjson", NDJSON_TYPE],
  ])("takes %s as a wish for %s", (accept, type) => {
    expect(acceptedList(accept)).toBe(type);
  });
});
