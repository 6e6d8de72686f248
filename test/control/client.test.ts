import { describe, expect, it } from "vitest";
import { send, unreachable } from "../../src/control/client.ts";

describe("unreachable()", () => {
  it.each([
    ["ENOENT", "there is no such socket", "Start krtd"],
    ["ECONNREFUSED", "nobody listens", "krtd is not running any more"],
    ["EACCES", "permission denied", "Use sudo"],
    ["EPERM", "permission denied", "Use sudo"],
    ["EMFILE", "too many open files", "Check"],
  ])("tells %s apart: %s", (code, why, hint) => {
    const error = unreachable("/run/x", Object.assign(new Error("too many open files"), { code }));
    expect(error).toMatchObject({ code: "not-reachable", hint: expect.stringContaining(hint) });
    expect(error.message).toMatch(new RegExp(`^Cannot reach krtd on /run/x: .*${why}`));
  });
});

describe("send()", () => {
  it("refuses a path no unix socket can have", async () => {
    const options = { socketPath: "x".repeat(108), timeoutMs: 1000 };
    await expect(send(options, { method: "GET", path: "/" })).rejects.toMatchObject({ code: "socket-path" });
  });
});
