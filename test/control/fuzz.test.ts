/** Whatever a client asks: it is answered, never with 500, in ASCII, and a refusal says what is wrong. */

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  addSampleRoutes,
  HOSTILE_NAME,
  makeRouter,
  type Running,
  startRouter,
} from "../support/control-fixture.ts";
import { ask } from "../support/http-unix.ts";
import { fuzzRuns } from "../support/netlink-mutations.ts";

let running: Running;
beforeAll(async () => {
  const router = await makeRouter();
  addSampleRoutes(router);
  running = await startRouter(router);
});
afterAll(() => running.stop());

const RUNS = fuzzRuns(60_000, 0.01);
const FOR_EVER = 3_600_000;

const KEYS = [
  "prefix",
  "for",
  "in",
  "table",
  "protocol",
  "state",
  "type",
  "dev",
  "via",
  "count",
  "all",
  "class",
].concat([
  "name",
  "target",
  "limit",
  "address",
  "__proto__",
  "constructor",
  "",
  "PREFIX",
  "prefix[]",
  "all ",
]);
const VALUES = [
  "10.0.0.0/8",
  "192.0.2.1",
  "::/0",
  "2001:db8::1",
  "default",
  "master4",
  "all",
  "kernel4",
  "eth0",
  "true",
  "0",
].concat(
  [
    "",
    "-1",
    "1e999",
    "99999999999999999999",
    "10.0.0.0/33",
    "10.0.0.1/8",
    "::ffff:1.2.3.4/200",
    "fe80::1%eth0",
    "*",
    "?",
  ],
  [
    "\u0000",
    "\u001b[2J",
    "\u202e",
    "\ud800",
    "é",
    HOSTILE_NAME,
    "a".repeat(3000),
    "*".repeat(500),
    "../../etc/passwd",
    "{}",
  ],
  [
    "synced",
    "unicast",
    "ours",
    "blackhole",
    "null",
    "undefined",
    "NaN",
    "0x10",
    "1.2.3",
    "1:2",
    "/",
    "%",
    "%zz",
    "[::]",
  ],
);
const parameter = fc.tuple(
  fc.constantFrom(...KEYS),
  fc.oneof(fc.constantFrom(...VALUES), fc.string({ maxLength: 8, unit: "binary" })),
);
const encode = (text: string): string => encodeURIComponent(Buffer.from(text).toString());
const query = fc.oneof(
  fc
    .array(parameter, { maxLength: 4 })
    .map((all) => all.map(([key, value]) => `${encode(key)}=${encode(value)}`).join("&")),
  fc.string({ maxLength: 30, unit: "grapheme-ascii" }).map((text) => text.replace(/[^!-~]/g, "%")),
);
const READING = [
  "routes",
  "kernel",
  "interfaces",
  "protocols",
  "tables",
  "static",
  "drift",
  "explain",
  "diff",
  "status",
];
const json = fc.oneof(
  fc.json(),
  fc
    .record(
      {
        file: fc.oneof(fc.constantFrom(...VALUES), fc.jsonValue()),
        mode: fc.oneof(fc.constantFrom("apply", "soft", "check", "undo", "confirm"), fc.jsonValue()),
        "undo-after": fc.oneof(fc.double(), fc.jsonValue()),
      },
      { requiredKeys: [] },
    )
    .map((body) => JSON.stringify(body)),
  fc.string({ maxLength: 20, unit: "binary" }),
  fc.constantFrom(
    '{"file":"/a","file":"/b"}',
    `${"[".repeat(5000)}`,
    '{"__proto__":{"mode":"undo"}}',
    "\ufeff{}",
  ),
);

async function asked(path: string, method: string, body?: string): Promise<void> {
  const answer = await ask(running.path, path, { method, ...(body === undefined ? {} : { body }) });
  expect(answer.status, `${method} ${path} ${body} ${answer.text}`).not.toBe(500);
  expect(answer.text).toMatch(/^[\n -~]*$/);
  if (answer.status < 400) return;
  const { error } = JSON.parse(answer.text) as { error: { code: string; message: string } };
  expect(error.code).toMatch(/^[a-z-]+$/);
  expect(error.message.length).toBeGreaterThan(5);
  expect(error.message.length).toBeLessThan(10_000);
}

describe("any client", () => {
  it(
    "gets an answer to any query",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...READING), query, (what, text) =>
          asked(`/v1/${what}?${text}`, "GET"),
        ),
        { numRuns: RUNS },
      );
    },
    FOR_EVER,
  );

  it(
    "gets an answer to any path and method",
    async () => {
      const step = fc.constantFrom(
        "v1",
        "routes",
        "protocols",
        "scan",
        "..",
        ".",
        "",
        "%2e%2e",
        "%00",
        "%zz",
        "*",
        "kernel4",
        "__proto__",
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 5 }),
          fc.constantFrom("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"),
          (steps, method) => asked(`/${steps.join("/")}`, method),
        ),
        { numRuns: RUNS },
      );
    },
    FOR_EVER,
  );

  it(
    "gets an answer to any body",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom("configure", "plan", "protocols/x/scan"), json, (what, body) =>
          asked(`/v1/${what}`, "POST", body),
        ),
        { numRuns: RUNS },
      );
    },
    FOR_EVER,
  );
});
