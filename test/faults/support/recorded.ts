/** Starts krtd so that all it sends to the kernel is recorded (recorded-krtd.ts), and reads the records back. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type KrtdOptions, type RunningKrtd, startKrtd } from "../../support/krtd.ts";
import { type Netns, waitFor } from "../../support/netns.ts";
import type { SocketFaults } from "./recorded-krtd.ts";
import { readMessages, type SentMessage } from "./sent-messages.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MAGIC = 0x4b525444;
const HEADER_LENGTH = 24;

/** A fault that lasts from raise() to lower(); see the head of recorded-krtd.ts. */
type Fault = "no-net-admin" | "lose-acks" | "no-answers" | "wall-clock";

export interface RecordedOptions extends KrtdOptions {
  readonly sockets?: SocketFaults;
}

/** Everything that one directory's krtd, one after the other, have sent. */
export interface Recording {
  /** All messages up to now. */
  messages(): Promise<readonly SentMessage[]>;
  /** Waits until nothing was sent for so long; resolves to the number of all messages. */
  quiet(forMs: number): Promise<number>;
  /** Starts krtd in the recording's directory. */
  start(ns: Netns, yaml: string, options?: RecordedOptions): Promise<RunningKrtd>;
  raise(fault: Fault, content?: string): Promise<void>;
  lower(fault: Fault): Promise<void>;
}

export async function createRecording(directory: string): Promise<Recording> {
  const file = join(directory, "sent");
  const faults = join(directory, "faults");
  await mkdir(faults);
  await writeFile(file, "");
  const program = join(compiledEntry(), "recorded-krtd.js");
  const messages: SentMessage[] = [];
  let at = 0;
  const readOn = async (): Promise<readonly SentMessage[]> => {
    const bytes = await readFrom(file, at);
    at += readRecords(bytes, messages);
    return messages;
  };
  return {
    messages: readOn,
    async quiet(forMs) {
      let counted = -1;
      const nothingMore = async (): Promise<boolean> => {
        const before = counted;
        counted = (await readOn()).length;
        return counted === before;
      };
      await waitFor("krtd sends nothing more", nothingMore, 10_000, forMs);
      return counted;
    },
    start(ns, yaml, { sockets = {}, ...options } = {}) {
      const env = {
        UV_THREADPOOL_SIZE: "8",
        KRTD_TEST_ROOT: ROOT,
        KRTD_TEST_RECORD: file,
        KRTD_TEST_FAULTS: faults,
        KRTD_TEST_SOCKETS: JSON.stringify(sockets),
        ...options.env,
      };
      return startKrtd(ns, yaml, { ...options, directory, program, env });
    },
    raise: (fault, content = "") => writeFile(join(faults, fault), content),
    lower: (fault) => rm(join(faults, fault), { force: true }),
  };
}

/** As `nsfs` numbers it: what a record says of a message. */
export function namespaceNumber(ns: Netns): bigint {
  return statSync(ns.path, { bigint: true }).ino;
}

async function readFrom(file: string, at: number): Promise<Buffer> {
  await using handle = await open(file, "r");
  const { size } = await handle.stat();
  const bytes = Buffer.alloc(size - at);
  await handle.read(bytes, 0, bytes.length, at);
  return bytes;
}

/** Adds the messages of all whole records; returns how many bytes those have. */
function readRecords(bytes: Buffer, messages: SentMessage[]): number {
  let at = 0;
  while (at + HEADER_LENGTH <= bytes.length) {
    if (bytes.readUInt32LE(at) !== MAGIC) throw new Error(`The record at ${at} is none`);
    const end = at + HEADER_LENGTH + bytes.readUInt32LE(at + 4);
    if (end > bytes.length) break;
    const namespace = bytes.readBigUInt64LE(at + 8);
    const atMs = Number(bytes.readBigUInt64LE(at + 16) / 1000n) / 1000;
    messages.push(...readMessages(bytes.subarray(at + HEADER_LENGTH, end), namespace, atMs));
    at = end;
  }
  return at;
}

let compiled: string | null = null;

/** Node 20 does not run TypeScript. Once a process, and away when it ends. */
function compiledEntry(): string {
  if (compiled !== null) return compiled;
  const directory = mkdtempSync(join(tmpdir(), "krtd-faults-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  const words = ["--ignoreConfig", "--noCheck", "--noResolve", "--target", "es2023", "--module", "node20"];
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const source = join(ROOT, "test/faults/support/recorded-krtd.ts");
  execFileSync(process.execPath, [tsc, ...words, "--outDir", directory, source]);
  compiled = directory;
  return directory;
}
