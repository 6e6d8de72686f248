import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Columns } from "../../src/cli/columns.ts";
import { runCli } from "../../src/cli/run.ts";
import { makeRouter, type Running, startRouter } from "../support/control-fixture.ts";
import { runKrtctl } from "../support/run-krtctl.ts";

const TOTAL = 50_000;

let running: Running;
let directory: string;

beforeAll(async () => {
  const router = await makeRouter();
  const channel = router.channels.get("uplinks")!;
  for (let i = 0; i < TOTAL; i++) {
    const attrs = router.intern({ hops: [{ via: "192.0.2.1", device: 2 }] });
    channel.importRoute((0x0b000000 + (i << 8)) | 0, 0, 0, 0, 24, attrs, 0);
  }
  running = await startRouter(router);
  directory = mkdtempSync(join(tmpdir(), "krtctl-output-"));
});

afterAll(async () => {
  await running.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** A reader that leaves after `limit` writes, as head does. */
class Head extends Writable {
  writes = 0;
  private readonly limit: number;

  constructor(limit: number) {
    super();
    this.limit = limit;
  }

  override _write(_chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.writes++;
    done(this.writes > this.limit ? Object.assign(new Error("write EPIPE"), { code: "EPIPE" }) : undefined);
  }
}

describe("krtctl output", () => {
  it.each(["show routes", "show routes --json"])("%s ends quietly when its reader leaves", async (line) => {
    const stdout = new Head(2);
    const stderr = new Head(0);
    const io = { stdout, stderr, env: {}, uid: 0, directory: "/", now: Date.now };
    expect(await runCli(["-s", running.path, ...line.split(" ")], io)).toBe(0);
    expect(stdout.writes).toBe(3);
    expect(stderr.writes).toBe(0);
  });

  it("waits for a slow reader instead of buffering", async () => {
    let waiting = 0;
    let most = 0;
    let bytes = 0;
    const stdout = new Writable({
      highWaterMark: 16 * 1024,
      write(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        waiting = stdout.writableLength;
        most = Math.max(most, waiting);
        setTimeout(done, 1);
      },
    });
    const io = { stdout, stderr: new Head(0), env: {}, uid: 0, directory: "/", now: Date.now };
    expect(await runCli(["-s", running.path, "show", "routes", "--ndjson"], io)).toBe(0);
    expect(bytes).toBeGreaterThan(TOTAL * 300);
    // One chunk of the socket at a time, never the answer.
    expect(most).toBeLessThan(256 * 1024);
  });

  it("goes through the pager on a terminal, and not with --no-pager", async () => {
    const file = join(directory, "paged");
    const options = { terminal: true, env: { KRTD_PAGER: `cat > ${file}`, PATH: process.env["PATH"] ?? "" } };
    const argv = ["-s", running.path, "--color", "never", "show", "tables"];
    const paged = await runKrtctl(argv, options);
    expect(paged).toEqual({ code: 0, out: "", err: "" });
    const direct = await runKrtctl([...argv, "--no-pager"], options);
    expect(readFileSync(file, "utf8")).toBe(direct.out);
  });

  it("ends quietly when the pager is left early", async () => {
    const options = {
      terminal: true,
      env: { KRTD_PAGER: "head -c 10 > /dev/null", PATH: process.env["PATH"] ?? "" },
    };
    const ran = await runKrtctl(["-s", running.path, "show", "routes"], options);
    expect(ran).toEqual({ code: 0, out: "", err: "" });
  });

  it("does not start a pager for an error", async () => {
    const options = { terminal: true, env: { KRTD_PAGER: "false", PATH: "" } };
    expect((await runKrtctl(["-s", running.path, "show", "routes", "9.9.9.0/24"], options)).code).toBe(6);
  });
});

describe("Columns", () => {
  const row = (...cells: string[]) => ({ cells: cells.map((text) => ({ text })) });

  it("measures the first rows only and never cuts a later cell", () => {
    const columns = new Columns(true);
    let text = "";
    for (let i = 0; i < 256; i++) text += columns.add(row("a", "b"));
    expect(text).toBe("a  b\n".repeat(256));
    expect(columns.add(row("wider", "b"))).toBe("wider  b\n");
    expect(columns.end()).toBe("");
  });

  it("leaves out columns that are empty everywhere", () => {
    const columns = new Columns(true);
    columns.add(row("a", "", "c"));
    columns.add(row("aa", "", "c"));
    expect(columns.end()).toBe("a   c\naa  c\n");
  });
});
