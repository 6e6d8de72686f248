import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ConfigureWords, parseConfigure } from "../../src/cli/configure.ts";
import { planText } from "../../src/cli/format-plan.ts";
import type { ConfigPlan } from "../../src/config/plan.ts";
import {
  EMPTY_PLAN,
  makeRouter,
  type Router,
  type Running,
  startRouter,
} from "../support/control-fixture.ts";
import { type Ran, type RunOptions, runKrtctl } from "../support/run-krtctl.ts";

const PLAN: ConfigPlan = {
  tables: { added: ["green4"], removed: ["old4"] },
  protocols: [
    { name: "gone", type: "static", action: "remove", reasons: [] },
    { name: "kernel4", type: "kernel", action: "reconfigure", reasons: ["scan-time", "persist"] },
    { name: "kernel6", type: "kernel", action: "restart", reasons: ["kernel-table"] },
    { name: "uplinks", type: "static", action: "reconfigure", reasons: ["routes: 3 added, 1 removed"] },
    { name: "new", type: "pipe", action: "add", reasons: [] },
  ],
  settings: [
    { key: "log.level", effect: "now" },
    { key: "control.socket", effect: "restart" },
  ],
  empty: false,
};

describe("parseConfigure()", () => {
  const words = (more: Partial<ConfigureWords>): ConfigureWords => ({
    file: null,
    mode: "apply",
    undoAfterSeconds: null,
    ...more,
  });

  it.each<[string, Partial<ConfigureWords>, string]>([
    ["", {}, "the running file"],
    ["krt.yaml", { file: "krt.yaml" }, "a file"],
    ["check", { mode: "check" }, "a keyword wins"],
    ["./check", { file: "./check" }, "and this is the file"],
    ["check check.yaml", { mode: "check", file: "check.yaml" }, "a name longer than a keyword"],
    ["krt.yaml check", { mode: "check", file: "krt.yaml" }, "in any order"],
    ["ch", { mode: "check" }, "shortened"],
    ["s", { mode: "soft" }, "shortened"],
    ["./s", { file: "./s" }, "and the file"],
    ["conf", { mode: "confirm" }, "shortened"],
    ["undo", { mode: "undo" }, "undo"],
    ["timeout 300", { undoAfterSeconds: 300 }, "seconds"],
    ["soft t 5m krt.yaml", { mode: "soft", undoAfterSeconds: 300, file: "krt.yaml" }, "all of it"],
    ["timeout 1500ms", { undoAfterSeconds: 1.5 }, "a part of a second"],
    ["/etc/krt.yaml timeout 30", { file: "/etc/krt.yaml", undoAfterSeconds: 30 }, "a path"],
  ])("reads %j as %j: %s", (line, read) => {
    expect(parseConfigure(line === "" ? [] : line.split(" "))).toEqual(words(read));
  });

  it.each([
    ["c", "check or confirm"],
    ["a.yaml b.yaml", "two files"],
    ["check soft", "two modes"],
    ["check check", "twice"],
    ["timeout", "no time"],
    ["timeout krt.yaml", "no time either"],
    ["timeout 0", "at once"],
    ["timeout 10 timeout 20", "twice"],
    ["check timeout 10", "nothing to go back from"],
    ["undo timeout 10", "nothing to go back from"],
    ["undo krt.yaml", "a file for what has one"],
    ["confirm krt.yaml", "the same"],
    ["krt.yaml  check", "an empty name"],
  ])("refuses %j: %s", (line) => {
    expect(() => parseConfigure(line.split(" "))).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("planText()", () => {
  it("says what would be done", () => {
    expect(planText(PLAN, false)).toBe(
      "table old4: remove\n" +
        "table green4: add\n" +
        "gone: remove (static)\n" +
        "kernel4: reconfigure in place (scan-time, persist)\n" +
        "kernel6: restart (kernel-table)\n" +
        "uplinks: reconfigure (routes: 3 added, 1 removed)\n" +
        "new: add (pipe)\n" +
        "log.level: change at once\n" +
        "control.socket: change at the next start of krtd\n",
    );
  });

  it("says what was done, and disarms names", () => {
    const [, kernel4] = PLAN.protocols;
    const protocols = [{ ...kernel4!, name: "x\x1b", reasons: ["y\n"] }];
    const settings = PLAN.settings;
    expect(planText({ ...EMPTY_PLAN, protocols, settings }, true)).toBe(
      "x\\x1b: reconfigured in place (y\\x0a)\n" +
        "log.level: changed\n" +
        "control.socket: changes at the next start of krtd\n",
    );
  });
});

let router: Router;
let running: Running;

beforeEach(async () => {
  router = await makeRouter();
  router.result = { ok: true, file: "/etc/krtd/krt.yaml", plan: PLAN, applied: true };
  running = await startRouter(router);
});

afterEach(async () => {
  await running.stop();
});

function krtctl(line: string, options?: RunOptions): Promise<Ran> {
  return runKrtctl(["-s", running.path, ...line.split(" ")], options);
}

describe("krtctl configure", () => {
  it("says what was changed", async () => {
    const { code, out } = await krtctl("configure");
    expect(code).toBe(0);
    expect(out).toBe(`/etc/krtd/krt.yaml: applied\n${planText(PLAN, true)}`);
    expect(router.configured).toEqual([{ file: null, mode: "apply", undoAfterMs: null }]);
  });

  it.each([
    ["configure new.yaml", "/etc/krtd/new.yaml"],
    ["configure ./check check", "/etc/krtd/check"],
    ["configure ../a/b.yaml soft", "/etc/a/b.yaml"],
    ["configure /x/y.yaml", "/x/y.yaml"],
    ["plan new.yaml", "/etc/krtd/new.yaml"],
    ["plan check", "/etc/krtd/check"],
  ])("%s asks for %s: relative to where krtctl runs", async (line, file) => {
    await krtctl(line, { directory: "/etc/krtd" });
    expect(router.configured[0]?.file).toBe(file);
  });

  it("with a timeout says how to keep the configuration, and so does show status until it is confirmed", async () => {
    const told = "undone in 5 min unless confirmed: krtctl configure confirm\n";
    expect((await krtctl("configure timeout 300")).out).toContain(told);
    expect((await krtctl("show status")).out).toContain(`config-undo: ${told}`);
    expect(await krtctl("configure confirm")).toMatchObject({
      code: 0,
      out: expect.stringContaining("stays"),
    });
    expect((await krtctl("show status")).out).not.toContain("undone");
    expect(await krtctl("configure confirm")).toMatchObject({
      code: 1,
      err: expect.stringContaining("No configuration waits"),
    });
  });

  it.each([
    ["configure check", "good\n", "check says no more"],
    ["configure soft", "applied; changed filters are for routes that change from now on\n", "soft"],
  ])("%s says %j: %s", async (line, text) => {
    router.result = { ...router.result, applied: !line.endsWith("check") } as typeof router.result;
    expect((await krtctl(line)).out).toMatch(new RegExp(`^/etc/krtd/krt.yaml: ${text}`));
  });

  it("says that nothing has changed", async () => {
    router.result = { ok: true, file: "/a", plan: EMPTY_PLAN, applied: true };
    expect((await krtctl("configure")).out).toBe("/a: nothing has changed\n");
  });

  it("undo goes back, or exits 1 when there is nothing to go back to", async () => {
    expect(await krtctl("configure undo")).toMatchObject({ code: 1, out: "" });
    router.undone = { ok: true, file: "/old", plan: EMPTY_PLAN, applied: true };
    expect((await krtctl("configure undo")).out).toBe("/old: back to what ran before\n");
  });

  it("exits 4 for a bad file, and shows its problems as they are, disarmed", async () => {
    const problems = '/a:2:3: Unknown key "x"\n    2 | \tx: \x1b[31m\n      | \t^\n  did you mean "y"?\n';
    router.result = { ok: false, file: "/a", problems };
    for (const line of ["configure", "configure /a check", "plan"]) {
      const ran = await krtctl(line);
      expect(ran).toMatchObject({ code: 4, out: "" });
      expect(ran.err).toContain(
        '/a:2:3: Unknown key "x"\n    2 | \tx: \\x1b[31m\n      | \t^\n  did you mean',
      );
    }
    const json = await krtctl("configure --json");
    expect(json).toMatchObject({ code: 4, err: "" });
    expect(JSON.parse(json.out)).toMatchObject({ error: { code: "bad-config" } });
  });

  it("--force is handed on, and goes with what changes something", async () => {
    expect((await krtctl("configure --force")).code).toBe(0);
    expect((await krtctl("configure soft --force")).code).toBe(0);
    expect(router.configured).toMatchObject([{ force: true }, { mode: "soft", force: true }]);
    for (const mode of ["check", "undo", "confirm"]) {
      expect(await krtctl(`configure ${mode} --force`)).toMatchObject({ code: 2, out: "" });
    }
  });

  it("exits 1 when too much would be deleted, and says how to have it", async () => {
    router.result = { ok: false, file: "/a", tooMany: { message: "Too much", hint: "Use --force" } };
    expect(await krtctl("configure")).toEqual({ code: 1, out: "", err: "krtctl: Too much\n  Use --force\n" });
  });

  it("--json is the answer of the API", async () => {
    const { code, out } = await krtctl("configure -j");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      file: "/etc/krtd/krt.yaml",
      mode: "apply",
      applied: true,
      "undo-in-seconds": null,
      plan: PLAN,
    });
  });
});

describe("krtctl plan", () => {
  it("exits 5 when something would change, 0 when nothing would, with --json too", async () => {
    expect(await krtctl("plan")).toEqual({ code: 5, out: planText(PLAN, false), err: "" });
    expect((await krtctl("plan --json")).code).toBe(5);
    router.result = { ok: true, file: "/a", plan: EMPTY_PLAN, applied: false };
    expect(await krtctl("plan")).toEqual({ code: 0, out: "/a: nothing would change\n", err: "" });
    expect((await krtctl("plan --json")).code).toBe(0);
  });
});

describe("krtctl enable, disable, restart, reload", () => {
  it.each([
    ["enable kernel*", "kernel4: enabled\nkernel6: enabled\n"],
    ["disable uplinks", "uplinks: disabled\n"],
    ["rest uplinks", "uplinks: restarted\n"],
    ["rel uplinks", "uplinks: reloaded\n"],
  ])("%s says what was done", async (line, out) => {
    expect(await krtctl(line)).toEqual({ code: 0, out, err: "" });
  });

  it("exit 0 when all are as was asked, whether before or since", async () => {
    router.refusals.set("uplinks", { code: "already", reason: "uplinks is enabled already" });
    expect(await krtctl("enable up*")).toEqual({
      code: 0,
      out: "uplinks: enabled already\nuplinks6: enabled\n",
      err: "",
    });
    expect(await krtctl("enable uplinks")).toEqual({ code: 0, out: "uplinks: enabled already\n", err: "" });
  });

  it("exit 4 when bad configuration keeps the others from it, which is printed in lines", async () => {
    const problems = "/etc/a\u001b.routes:1:17: Unknown word\n  1 | 10.1.0.0/16 x\n                    ^";
    const shown = problems.replace("\u001b", "\\x1b");
    router.refusals.set("uplinks", { code: "bad-config", reason: problems });
    expect(await krtctl("reload uplinks")).toEqual({
      code: 4,
      out: "",
      err: `${shown}\n  Nothing was changed: the routes that run stay.\n`,
    });
    expect(await krtctl("reload up*")).toEqual({
      code: 4,
      out: `uplinks: not reloaded: bad configuration:\n${shown}\nuplinks6: reloaded\n`,
      err: "",
    });
    router.refusals.set("uplinks6", "it is down");
    expect(await krtctl("reload up*")).toEqual({
      code: 1,
      out: "",
      err: `krtctl: Cannot reload:\nuplinks: bad configuration:\n${shown}\nuplinks6: it is down\n`,
    });
  });

  it("exit 1 when it was not done to all, and 6 for an unknown name", async () => {
    router.refusals.set("device1", "a device protocol cannot be disabled");
    const all = await krtctl("disable all");
    expect(all.code).toBe(0);
    expect(all.out, "a device protocol is not meant").not.toContain("device1");
    router.refusals.set("lab", "why");
    expect(await krtctl("reload all")).toMatchObject({
      code: 1,
      out: expect.stringContaining("lab: not reloaded: why"),
    });
    expect(await krtctl("disable device1")).toMatchObject({
      code: 1,
      err: expect.stringContaining("Cannot disable device1: a device protocol"),
    });
    expect((await krtctl("reload nope")).code).toBe(6);
    expect((await krtctl("restart")).code).toBe(2);
  });
});

describe("krtctl with a daemon that takes its time, or misbehaves", () => {
  let directory: string;
  const servers: Server[] = [];
  const sockets = new Set<Socket>();

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "krtctl-hostile-"));
  });

  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function listen(server: Server): Promise<string> {
    const path = join(directory, `s${servers.length}`);
    servers.push(server);
    server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  }

  /** Answers every request with `bytes`, again and again. */
  function repeat(head: string, bytes: string, everyMs: number): Promise<string> {
    return listen(
      createServer((socket) => {
        socket.once("data", () => {
          socket.write(head);
          const timer = setInterval(() => socket.write(bytes), everyMs);
          socket.on("close", () => clearInterval(timer));
        });
      }),
    );
  }

  function run(path: string, line: string, options?: RunOptions): Promise<Ran> {
    return runKrtctl(["-s", path, "--timeout", "200ms", ...line.split(" ")], options);
  }

  it("waits as long as the daemon says that it goes on, and tells a person so once", async () => {
    const answer = JSON.stringify({
      file: "/a",
      mode: "apply",
      applied: true,
      "undo-in-seconds": null,
      plan: EMPTY_PLAN,
    });
    const path = await listen(
      createHttpServer((_, response: ServerResponse) => {
        const timer = setInterval(() => response.writeProcessing(), 50);
        setTimeout(() => {
          clearInterval(timer);
          response.end(answer);
        }, 700);
      }),
    );
    const ran = await run(path, "configure", { errTerminal: true });
    expect(ran).toMatchObject({ code: 0, out: "/a: nothing has changed\n" });
    expect(ran.err).toBe("krtctl: krtd is at work; it goes on even if krtctl is interrupted\n");
    expect((await run(path, "configure")).err).toBe("");
  });

  it("gives up when it says nothing, and says that the work may be done all the same", async () => {
    const path = await listen(createServer(() => {}));
    const ran = await run(path, "configure");
    expect(ran.code).toBe(3);
    expect(ran.err).toMatch(/no answer in 0.2 s\n.*may be done all the same.*show status/);
  });

  const endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const endlessError = "HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n";
  it.each([
    ["show status", "", "HTTP/1.1 102 Processing\r\n\r\n", 3, "signs of life nobody asked for"],
    ["show status", endless, "1\r\n \r\n", 3, "a status without an end"],
    ["configure", endless, "1\r\n \r\n", 3, "a configuration without an end"],
    ["configure", endlessError, "1\r\n \r\n", 3, "an error without an end"],
    ["plan", "\x16\x03\x01", "\x00", 3, "another protocol"],
    [
      "configure",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "x",
      3,
      "an upgrade",
    ],
    ["plan", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{x}", "", 1, "no JSON"],
    ["configure", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "", 1, "other JSON"],
    ["disable all", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "", 1, "no object"],
    ["show drift", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}\n", "", 1, "no drift"],
  ])("%s ends in spite of %j and then %j for ever: exit %i (%s)", async (line, head, bytes, code) => {
    const ran = await run(await repeat(head, bytes, 20), line);
    expect(ran.code).toBe(code);
    expect(ran.err).not.toBe("");
  });
});
