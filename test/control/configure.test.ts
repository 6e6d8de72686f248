import { type IncomingMessage, request } from "node:http";
import { resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ConfigPlan } from "../../src/config/plan.ts";
import type { ConfigureRequest } from "../../src/control/backend.ts";
import type { ActJson } from "../../src/control/json-actions.ts";
import {
  EMPTY_PLAN,
  makeRouter,
  type Router,
  type Running,
  startRouter,
} from "../support/control-fixture.ts";
import { type Answer, ask } from "../support/http-unix.ts";

const PLAN: ConfigPlan = {
  tables: { added: ["green4"], removed: [] },
  protocols: [{ name: "kernel4", type: "kernel", action: "reconfigure", reasons: ["scan-time"] }],
  settings: [{ key: "log.level", effect: "now" }],
  empty: false,
};

let router: Router;
let running: Running;

beforeEach(async () => {
  router = await makeRouter();
  router.result = { ok: true, file: "/etc/krt.yaml", plan: PLAN, applied: true };
  running = await startRouter(router);
});

afterEach(async () => {
  await running.stop();
});

async function post(path: string, body: object | null, status: number): Promise<unknown> {
  const question = { method: "POST", ...(body === null ? {} : { body: JSON.stringify(body) }) };
  const answer = await ask(running.path, path, question);
  expect(answer.status, answer.text).toBe(status);
  return JSON.parse(answer.text);
}

describe("POST /v1/configure", () => {
  it.each<[object | null, ConfigureRequest, string]>([
    [null, { file: null, mode: "apply", undoAfterMs: null }, "the running file"],
    [{}, { file: null, mode: "apply", undoAfterMs: null }, "the same"],
    [{ file: null }, { file: null, mode: "apply", undoAfterMs: null }, "null is the same too"],
    [{ file: "/a b" }, { file: "/a b", mode: "apply", undoAfterMs: null }, "another file"],
    [{ mode: "soft" }, { file: null, mode: "soft", undoAfterMs: null }, "soft"],
    [{ mode: "check", file: "/a" }, { file: "/a", mode: "check", undoAfterMs: null }, "check"],
    [{ "undo-after": 300 }, { file: null, mode: "apply", undoAfterMs: 300_000 }, "with a way back"],
    [{ force: true }, { file: null, mode: "apply", undoAfterMs: null, force: true }, "by force"],
    [{ force: false }, { file: null, mode: "apply", undoAfterMs: null }, "not by force"],
    [{ mode: "soft", "undo-after": 0.5 }, { file: null, mode: "soft", undoAfterMs: 500 }, "fractions"],
  ])("%j asks the daemon for %j: %s", async (body, asked) => {
    const answer = await post("/v1/configure", body, 200);
    expect(router.configured).toEqual([asked]);
    expect(answer).toEqual({
      file: "/etc/krt.yaml",
      mode: asked.mode,
      applied: true,
      "undo-in-seconds": asked.undoAfterMs === null ? null : asked.undoAfterMs / 1000,
      plan: PLAN,
    });
  });

  it.each<[object, string]>([
    [{ mode: "plan" }, "that is an address of its own"],
    [{ mode: "aply" }, "unknown mode"],
    [{ mode: 1 }, "no text"],
    [{ file: "krt.yaml" }, "relative to what?"],
    [{ file: "" }, "empty"],
    [{ file: "/a\0b" }, "a NUL byte"],
    [{ file: ["/a"] }, "a list"],
    [{ "undo-after": 0 }, "at once"],
    [{ "undo-after": -1 }, "in the past"],
    [{ "undo-after": 1e9 }, "longer than a timer"],
    [{ "undo-after": "300" }, "a text"],
    [{ "undo-after": 300, mode: "check" }, "there is nothing to go back from"],
    [{ "undo-after": 300, mode: "undo" }, "the same"],
    [{ file: "/a", mode: "undo" }, "what is gone back to has a file"],
    [{ file: "/a", mode: "confirm" }, "the same"],
    [{ undo_after: 300 }, "unknown member"],
    [{ force: 1 }, "no boolean"],
    [{ force: true, mode: "check" }, "there is nothing to force"],
    [{ force: true, mode: "undo" }, "going back never asks"],
  ])("refuses %j: %s", async (body) => {
    expect(await post("/v1/configure", body, 400)).toMatchObject({ error: { code: "bad-body" } });
    expect(router.configured).toEqual([]);
  });

  it("sends all problems of a bad file as 422", async () => {
    const problems = "/etc/krt.yaml:1:1: Unknown key\n    1 | x\u00ff: 1\n      | ^\nand more\n";
    router.result = { ok: false, file: "/etc/krt.yaml", problems };
    for (const [path, body] of [["/v1/configure", { mode: "check" }] as const, ["/v1/plan", {}] as const]) {
      expect(await post(path, body, 422)).toEqual({
        error: { code: "bad-config", message: problems.trimEnd(), hint: expect.stringContaining("stays") },
      });
    }
  });

  it("says with 409 that too much would be deleted, and how to have it all the same", async () => {
    router.result = { ok: false, file: "/a", tooMany: { message: "Too much", hint: "by force" } };
    expect(await post("/v1/configure", {}, 409)).toEqual({
      error: { code: "too-many-deletions", message: "Too much", hint: "by force" },
    });
  });

  it("undo goes back, and 409 says that there is nothing to go back to", async () => {
    expect(await post("/v1/configure", { mode: "undo" }, 409)).toMatchObject({
      error: { code: "nothing-to-undo" },
    });
    router.undone = { ok: true, file: "/etc/old.yaml", plan: EMPTY_PLAN, applied: true };
    expect(await post("/v1/configure", { mode: "undo" }, 200)).toMatchObject({
      file: "/etc/old.yaml",
      mode: "undo",
      applied: true,
    });
    router.undone = { ok: false, file: "/etc/old.yaml", problems: "gone\n" };
    expect(await post("/v1/configure", { mode: "undo" }, 422)).toMatchObject({ error: { message: "gone" } });
  });

  it("confirm keeps what waits for it, and 409 says that nothing does", async () => {
    await post("/v1/configure", { "undo-after": 60 }, 200);
    expect(await post("/v1/configure", { mode: "confirm" }, 200)).toEqual({ confirmed: true });
    expect(await post("/v1/configure", { mode: "confirm" }, 409)).toMatchObject({
      error: { code: "nothing-to-confirm" },
    });
  });
});

describe("POST /v1/plan", () => {
  it("tells the file by its whole path, however the daemon was given it", async () => {
    router.result = { ok: true, file: "krt.yaml", plan: PLAN, applied: false };
    expect(await post("/v1/plan", null, 200)).toMatchObject({ file: resolve("krt.yaml") });
  });

  it("asks for the plan of a file, or of the running one", async () => {
    expect(await post("/v1/plan", null, 200)).toEqual({ file: "/etc/krt.yaml", plan: PLAN });
    await post("/v1/plan", { file: "/a" }, 200);
    expect(router.configured).toEqual([
      { file: null, mode: "plan", undoAfterMs: null },
      { file: "/a", mode: "plan", undoAfterMs: null },
    ]);
    await post("/v1/plan", { mode: "apply" }, 400);
  });
});

describe("POST /v1/protocols/NAME", () => {
  it.each([
    ["kernel4", "disable", ["disable kernel4"]],
    ["kernel%2A", "enable", ["enable kernel4", "enable kernel6"]],
    ["kernel%2A", "disable", ["disable kernel6", "disable kernel4"]],
    ["uplinks", "restart", ["restart uplinks"]],
    ["uplinks", "reload", ["reload uplinks"]],
  ])("%s/%s does %j, at a disable in the order of a stop", async (name, verb, acts) => {
    const answer = await post(`/v1/protocols/${name}/${verb}`, null, 200);
    expect(router.acts).toEqual(acts);
    expect(answer).toEqual({
      action: verb,
      protocols: acts.map((one) => {
        const protocol = one.split(" ")[1]!;
        const type = protocol.startsWith("kernel") ? "kernel" : "static";
        return { name: protocol, type, done: true, reason: null };
      }),
    });
  });

  it("tells each protocol it was not done to, and why", async () => {
    router.refusals.set("lab", "it is busy");
    router.refusals.set("uplinks", { code: "already", reason: "uplinks is disabled already" });
    const { protocols } = (await post("/v1/protocols/all/disable", null, 200)) as { protocols: unknown[] };
    expect(protocols).toContainEqual({
      name: "lab",
      type: "static",
      done: false,
      reason: "it is busy",
      code: "refused",
    });
    expect(protocols).toContainEqual({
      name: "uplinks",
      type: "static",
      done: false,
      reason: "uplinks is disabled already",
      code: "already",
    });
  });

  it.each(["all", "*"])("%s are all but device protocols, to which nothing can be done", async (name) => {
    await post(`/v1/protocols/${encodeURIComponent(name)}/restart`, null, 200);
    expect(router.acts.map((one) => one.split(" ")[1])).toEqual([
      "kernel4",
      "kernel6",
      "uplinks",
      "uplinks6",
      "lab",
    ]);
    router.refusals.set("device1", "it always runs");
    await post("/v1/protocols/dev%2A/restart", null, 409);
  });

  it("is 200 when all are as was asked already", async () => {
    router.refusals.set("uplinks", { code: "already", reason: "uplinks is enabled already" });
    await post("/v1/protocols/uplinks/enable", null, 200);
  });

  it("is 422 when nothing but bad configuration is in the way, with each problem once", async () => {
    for (const name of ["uplinks", "uplinks6"])
      router.refusals.set(name, { code: "bad-config", reason: "a\nb" });
    expect(await post("/v1/protocols/uplinks%2A/reload", null, 422)).toEqual({
      error: { code: "bad-config", message: "a\nb", hint: "Nothing was changed: the routes that run stay." },
    });
    router.refusals.set("uplinks6", "it is down");
    expect(await post("/v1/protocols/uplinks%2A/reload", null, 409)).toMatchObject({
      error: {
        code: "cannot-reload",
        message: "Cannot reload:\nuplinks: bad configuration:\na\nb\nuplinks6: it is down",
      },
    });
  });

  it("is 409 when it was done to none, 404 for an unknown name, 400 with a body", async () => {
    router.refusals.set("device1", "why");
    expect(await post("/v1/protocols/device1/disable", null, 409)).toMatchObject({
      error: { code: "cannot-disable", message: "Cannot disable device1: why" },
    });
    expect(await post("/v1/protocols/nope/restart", null, 404)).toMatchObject({
      error: { code: "no-such-protocol" },
    });
    expect(await post("/v1/protocols/uplinks/restart", { force: true }, 400)).toMatchObject({
      error: { code: "bad-body" },
    });
    expect(await post("/v1/protocols/uplinks/reload", { force: 1 }, 400)).toMatchObject({
      error: { code: "bad-body" },
    });
    expect(await post("/v1/protocols/uplinks/explode", null, 404)).toMatchObject({
      error: { code: "no-such-path" },
    });
  });
});

describe("POST /v1/protocols/NAME/reload that would delete too much", () => {
  const refused = { code: "too-many-deletions", reason: "Too much", hint: "by force" } as const;

  it("is 409 with the way out, and can be forced", async () => {
    router.refusals.set("uplinks", refused);
    expect(await post("/v1/protocols/uplinks/reload", {}, 409)).toEqual({
      error: { code: "too-many-deletions", message: "Too much", hint: "by force" },
    });
    expect(await post("/v1/protocols/uplinks/reload", { force: true }, 200)).toMatchObject({
      protocols: [{ name: "uplinks", done: true, reason: null }],
    });
    expect(router.acts).toEqual(["reload uplinks", "reload uplinks by force"]);
  });

  it("does not keep others from being reloaded", async () => {
    router.refusals.set("uplinks", refused);
    const { protocols } = (await post("/v1/protocols/all/reload", {}, 200)) as ActJson;
    expect(protocols.filter(({ done }) => !done)).toMatchObject([{ name: "uplinks", reason: "Too much" }]);
    expect(protocols.length).toBeGreaterThan(1);
  });
});

describe("slow work", () => {
  const deadlines = { headersMs: 1_000, requestMs: 1_000, keepAliveMs: 1_000, stallMs: 100, progressMs: 20 };

  /** Configures while configure() waits for `release`. */
  function configureSlowly(
    path: string,
    headers: Record<string, string>,
  ): Promise<[number, IncomingMessage]> {
    let informed = 0;
    return new Promise((resolve, reject) => {
      const asked = request({
        socketPath: path,
        path: "/v1/configure",
        method: "POST",
        headers,
        agent: false,
      });
      asked.on("information", ({ statusCode }) => {
        expect(statusCode).toBe(102);
        informed++;
      });
      asked.on("response", (response) => {
        response.resume();
        resolve([informed, response]);
      });
      asked.on("error", reject);
      asked.end("{}");
    });
  }

  it.each<[Record<string, string>, boolean, string]>([
    [{ "Krtd-Progress": "yes" }, true, "told now and then that it goes on, if it asks"],
    [{}, false, "left in peace otherwise"],
  ])("with %j is %s: %s, and no deadline ends it", async (headers, told) => {
    const slow = await startRouter(router, { deadlines });
    const { configure } = router;
    router.configure = async (asked) => {
      // Longer than any deadline an idle connection has.
      await new Promise((resolve) => setTimeout(resolve, 500));
      return configure.call(router, asked);
    };
    try {
      const [informed, response] = await configureSlowly(slow.path, headers);
      expect(response.statusCode).toBe(200);
      if (told) expect(informed).toBeGreaterThan(3);
      else expect(informed).toBe(0);
    } finally {
      await slow.stop();
    }
  });

  it("goes on when the client leaves, and nobody is harmed", async () => {
    const slow = await startRouter(router, { deadlines });
    let release = (): void => {};
    const { configure } = router;
    router.configure = async (asked) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return configure.call(router, asked);
    };
    const headers = { "Krtd-Progress": "yes" };
    const asked = request({
      socketPath: slow.path,
      path: "/v1/configure",
      method: "POST",
      headers,
      agent: false,
    });
    asked.on("error", () => {});
    const informed = new Promise((resolve) => asked.on("information", resolve));
    asked.end("{}");
    await informed;
    asked.destroy();
    release();
    await expect.poll(() => router.configured).toHaveLength(1);
    const health: Answer = await ask(slow.path, "/healthz");
    expect(health.status).toBe(200);
    await slow.stop();
  });
});
