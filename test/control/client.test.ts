import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { send, unreachable } from "../../src/control/client.ts";

describe("unreachable()", () => {
  it.each([
    ["ENOENT", "there is no such socket", "Start krtd"],
    ["ECONNREFUSED", "nobody listens", "krtd is not running any more"],
    ["EACCES", "permission denied", "Use sudo"],
    ["EPERM", "permission denied", "Use sudo"],
    ["EAGAIN", "too many others", "Try again"],
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

  it.each([
    ["is served when a place is free", 3, 200, null],
    ["gives up when its own time is over", 1000, 900, "too-many-connections"],
  ])("asks a daemon without a free place again, and %s", async (_how, refusals, timeoutMs, code) => {
    const directory = mkdtempSync(join(tmpdir(), "krtd-client-"));
    const socketPath = join(directory, "s");
    let asked = 0;
    const answerWith = (status: string, body: string): string =>
      `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
    const server = createServer((socket) => {
      socket.on("error", () => {}).resume();
      const full = '{"error":{"code":"too-many-connections","message":"full","hint":null}}';
      socket.end(asked++ < refusals ? answerWith("503 No", full) : answerWith("200 OK", "{}"));
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    const sent = send({ socketPath, timeoutMs: timeoutMs + 500 }, { method: "GET", path: "/" });
    if (code === null) {
      for await (const text of (await sent).chunks()) expect(text).toBe("{}");
      expect(asked).toBe(refusals + 1);
    } else {
      await expect(sent).rejects.toMatchObject({ code });
    }
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
  });
});
