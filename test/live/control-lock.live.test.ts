import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Compiled, compileSource } from "../support/compile.ts";
import { createNetns, type Netns } from "../support/netns.ts";

let compiled: Compiled;
let directory: string;
let namespaces: Netns[];
const children: ChildProcess[] = [];

beforeAll(async () => {
  compiled = compileSource(["control/lock.ts", "sysdep/linux/flock.ts"]);
  writeFileSync(
    join(compiled.directory, "lock.js"),
    `import { lockDirectory } from "./control/lock.js";
     import { tryFlock } from "./sysdep/linux/flock.js";
     try {
       lockDirectory(process.argv[2], tryFlock);
       console.log("held");
       process.stdin.resume();
     } catch (error) {
       console.log(error.code);
     }`,
  );
  directory = mkdtempSync(join(tmpdir(), "krtd-lock-"));
  namespaces = await Promise.all([createNetns(), createNetns()]);
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(namespaces.map((netns) => netns.dispose()));
  rmSync(directory, { recursive: true, force: true });
  compiled.remove();
});

async function lockIn(netns: Netns): Promise<string> {
  const script = join(compiled.directory, "lock.js");
  const args = ["netns", "exec", netns.name, process.execPath, script, join(directory, "state")];
  const child = spawn("ip", args, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return String((await lines.next()).value);
}

describe("lockDirectory()", () => {
  it("keeps two krtd of different network namespaces apart on the same directory", async () => {
    const [first, second] = namespaces as [Netns, Netns];
    expect(await lockIn(first)).toBe("held");
    expect(await lockIn(second)).toBe("in-use");
  });
});
