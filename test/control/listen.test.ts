import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ListenOptions, listenUnix } from "../../src/control/listen.ts";
import { acquireLock, lockDirectory } from "../../src/control/lock.ts";
import { defaultSocketPath } from "../../src/control/socket-path.ts";
import { tryFlock } from "../../src/sysdep/linux/flock.ts";
import { type Compiled, compileSource } from "../support/compile.ts";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "krtd-listen-"));
  path = join(directory, "krtd.sock");
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function options(more: Partial<ListenOptions> = {}): ListenOptions {
  return { path, mode: 0o660, group: null, createParent: false, tryFlock, ...more };
}

async function listening(more?: Partial<ListenOptions>): Promise<{ close(): Promise<void> }> {
  const server = createServer();
  const held = await listenUnix(server, options(more));
  return {
    close: async () => {
      await new Promise((resolve) => server.close(resolve));
      held.release();
    },
  };
}

function connects(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

describe("listenUnix()", () => {
  it("gives the socket its mode, and leaves nothing behind when released", async () => {
    const held = await listening({ mode: 0o600 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await connects()).toBe(true);
    await held.close();
    expect(existsSync(path)).toBe(false);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it("gives the socket to a group, by name or number", async () => {
    const gid = process.getgid?.() ?? 0;
    const name = readFileSync("/etc/group", "utf8")
      .split("\n")
      .map((line) => line.split(":"))
      .find((fields) => fields[2] === String(gid))?.[0];
    for (const group of [String(gid), name ?? String(gid)]) {
      const held = await listening({ group });
      expect(statSync(path).gid).toBe(gid);
      await held.close();
    }
  });

  it("refuses an unknown group before it touches anything", async () => {
    await expect(listening({ group: "no-such-group-here" })).rejects.toMatchObject({ code: "no-such-group" });
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    [107, null],
    [108, "socket-path"],
  ])("a path of %i bytes: %s", async (bytes, code) => {
    const long = `${directory}/${"x".repeat(bytes - directory.length - 1)}`;
    if (code === null) await (await listening({ path: long })).close();
    else await expect(listening({ path: long })).rejects.toMatchObject({ code });
  });

  it("creates the parent directory only when told", async () => {
    const deep = join(directory, "run", "krtd.sock");
    await expect(listening({ path: deep })).rejects.toMatchObject({ code: "lock-failed" });
    const held = await listening({ path: deep, createParent: true });
    expect(statSync(join(directory, "run")).mode & 0o777).toBe(0o755);
    await held.close();
  });

  it("refuses a second one and names the socket and the pid of the first", async () => {
    const held = await listening();
    const second = listening();
    await expect(second).rejects.toMatchObject({
      code: "in-use",
      message: `Cannot use control socket ${path}: another krtd (pid ${process.pid}) uses it`,
    });
    expect(await connects()).toBe(true);
    await held.close();
    await (await listening()).close();
  });

  it("replaces a stale socket", async () => {
    const old = createServer();
    await new Promise<void>((resolve) => old.listen(`${path}.old`, resolve));
    renameSync(`${path}.old`, path);
    await new Promise((resolve) => old.close(resolve));
    expect(await connects()).toBe(false);
    const held = await listening();
    expect(await connects()).toBe(true);
    await held.close();
  });

  it("leaves a socket alone on which somebody without a lock answers", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(path, resolve));
    await expect(listening()).rejects.toMatchObject({ code: "in-use" });
    expect(await connects()).toBe(true);
    await new Promise((resolve) => other.close(resolve));
  });

  it.each([
    ["a file", () => writeFileSync(path, "precious")],
    ["a directory", () => mkdirSync(path)],
  ])("never deletes %s at the path", async (_, make) => {
    make();
    await expect(listening()).rejects.toMatchObject({ code: "listen-failed" });
    expect(existsSync(path)).toBe(true);
  });
});

describe("acquireLock()", () => {
  it("release() lets the next one in, also when called twice", () => {
    const file = join(directory, "a.lock");
    const first = acquireLock(file, "it", tryFlock);
    expect(() => acquireLock(file, "it", tryFlock)).toThrow(
      `Cannot use it: another krtd (pid ${process.pid})`,
    );
    first.release();
    first.release();
    acquireLock(file, "it", tryFlock).release();
  });

  it("does not hold a file that was deleted between opening and locking", () => {
    const file = join(directory, "a.lock");
    let deletions = 3;
    const lock = acquireLock(file, "it", (fd) => {
      const locked = tryFlock(fd);
      if (deletions-- > 0) rmSync(file);
      return locked;
    });
    expect(readFileSync(file, "latin1")).toBe(`${process.pid}\n`);
    expect(() => acquireLock(file, "it", tryFlock)).toThrow("another krtd");
    lock.release();
  });

  it("says so when the file system knows no locks", () => {
    const broken = (): boolean => {
      throw new Error("not supported");
    };
    expect(() => acquireLock(join(directory, "a"), "it", broken)).toThrow("Cannot lock it:");
  });

  it("lockDirectory() creates the directory and names it in the refusal", () => {
    const state = join(directory, "state");
    const lock = lockDirectory(state, tryFlock);
    expect(statSync(state).isDirectory()).toBe(true);
    expect(() => lockDirectory(state, tryFlock)).toThrow(`Cannot use state directory ${state}: another krtd`);
    lock.release();
  });
});

describe("defaultSocketPath()", () => {
  it.each([
    [0, {}, "/run/krtd/krtd.sock"],
    [0, { XDG_RUNTIME_DIR: "/run/user/0" }, "/run/krtd/krtd.sock"],
    [1000, { XDG_RUNTIME_DIR: "/run/user/1000" }, "/run/user/1000/krtd.sock"],
    [1000, {}, null],
    [1000, { XDG_RUNTIME_DIR: "" }, null],
  ])("of uid %i with %j is %s", (uid, env, expected) => {
    expect(defaultSocketPath(uid, env)).toBe(expected);
  });
});

describe("several processes on one socket path", () => {
  let compiled: Compiled;
  const children: ChildProcess[] = [];

  beforeAll(() => {
    compiled = compileSource(["control/listen.ts", "sysdep/linux/flock.ts"]);
    writeFileSync(
      join(compiled.directory, "hold.js"),
      `import { createServer } from "node:net";
       import { listenUnix } from "./control/listen.js";
       import { tryFlock } from "./sysdep/linux/flock.js";
       process.stdin.once("data", async () => {
         const listen = { path: process.argv[2], mode: 0o660, group: null, createParent: false, tryFlock };
         try {
           await listenUnix(createServer(), listen);
           console.log("listening");
         } catch (error) {
           console.log(error.code + " " + error.message);
           process.exit(1);
         }
       });
       console.log("ready");`,
    );
  });

  afterAll(() => {
    for (const child of children) child.kill("SIGKILL");
    compiled.remove();
  });

  interface Contender {
    readonly pid: number;
    /** Lets it try; resolves with what it says. */
    go(): Promise<string>;
    /** kill -9, and waits for its end. */
    kill(): Promise<void>;
  }

  async function contender(): Promise<Contender> {
    const child = spawn(process.execPath, [join(compiled.directory, "hold.js"), path], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(child);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe("ready");
    return {
      pid: child.pid!,
      go: async () => {
        child.stdin!.write("\n");
        return String((await lines.next()).value);
      },
      kill: async () => {
        child.kill("SIGKILL");
        await ended;
      },
    };
  }

  it("of many started at once exactly one listens, and the others say so", async () => {
    for (let round = 0; round < 3; round++) {
      const contenders = await Promise.all(Array.from({ length: 5 }, contender));
      const said = await Promise.all(contenders.map((c) => c.go()));
      expect(said.filter((line) => line === "listening")).toHaveLength(1);
      for (const line of said) expect(line).toMatch(/^(listening|in-use Cannot use control socket )/);
      expect(await connects()).toBe(true);
      // kill -9: the socket and the lock file stay, which is what the next round starts from.
      await Promise.all(contenders.map((c) => c.kill()));
      expect(existsSync(path)).toBe(true);
      expect(await connects()).toBe(false);
    }
  });

  it("after kill -9 the next one takes over, even if the pid in the lock file lives", async () => {
    const first = await contender();
    expect(await first.go()).toBe("listening");
    const second = await contender();
    expect(await second.go()).toContain(`(pid ${first.pid})`);
    await first.kill();
    // As if the pid had been given to another process: ours.
    writeFileSync(`${path}.lock`, `${process.pid}\n`);
    const third = await contender();
    expect(await third.go()).toBe("listening");
    await Promise.all([second.kill(), third.kill()]);
  });
});
