/**
 * One run of krtd as a real process, on a configuration of one kernel and one static protocol with all routes
 * in `files:`. When it has read them and when it is in sync is taken from its log, so that nothing is asked of it
 * in that time.
 */

import { writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import type { StatusReport } from "../src/control/backend.ts";
import type { KernelProtocolJson, ProtocolJson } from "../src/control/json.ts";
import { type Child, start, within } from "./children.ts";
import { METRIC } from "./routes.ts";
import type { Setting } from "./setting.ts";

const ROOT = new URL("../../../../", import.meta.url).pathname;
const KRTD = join(ROOT, "bin", "krtd.js");
const KRTCTL = join(ROOT, "bin", "krtctl.js");

/** No scan but those asked for, no other kernel protocol: what is measured is what the text says. */
export function configuration({ family, files }: Pick<Setting, "family" | "files">): string {
  return `\
log: {level: info, format: json}
kernel:
  kernel: {table: master${family}, kernel-table: main, metric: ${METRIC}, scan-time: 0}
static:
  bench: {table: master${family}, files: [${files.krtd}]}
`;
}

export class KrtdProcess {
  readonly child: Child;
  private readonly socket: string;
  private readonly setting: Setting;
  private readonly agent = new Agent({ keepAlive: true });
  /** Milliseconds after exec, by log message. */
  private readonly logged = new Map<string, number>();
  private readonly waiting = new Map<string, (ms: number) => void>();

  private constructor(setting: Setting, child: Child, socket: string) {
    this.setting = setting;
    this.child = child;
    this.socket = socket;
    child.onLine((line, at) => this.heard(line, at - child.startedAt));
  }

  /** Starts it; resolves at once. */
  static async start(setting: Setting, text: string = configuration(setting)): Promise<KrtdProcess> {
    const config = join(setting.directory, "krt.yaml");
    const socket = join(setting.directory, "krtd.sock");
    await writeFile(config, text);
    // By its first line, which says what Node is told.
    const command = [KRTD, "-c", config, "--socket", socket];
    return new KrtdProcess(setting, start(setting.namespace.inside(command)), socket);
  }

  /** All routes are read and it begins to work: milliseconds after exec. */
  routesRead(): Promise<number> {
    return this.message("krtd starts");
  }

  /** The kernel has acknowledged all routes: milliseconds after exec. */
  inSync(): Promise<number> {
    return this.message("in sync");
  }

  status(): Promise<StatusReport> {
    return this.ask<StatusReport>("GET", "/v1/status");
  }

  async kernel(): Promise<KernelProtocolJson> {
    const [protocol] = await this.ask<ProtocolJson[]>("GET", "/v1/protocols?name=kernel");
    if (protocol?.kernel === undefined) throw new Error("krtd has no kernel protocol");
    return protocol.kernel;
  }

  /** Reads a static protocol's files again; resolves when all of it is announced. */
  async reload(protocol: string): Promise<void> {
    await this.ask("POST", `/v1/protocols/${protocol}/reload`);
  }

  /** Asks for a scan; resolves when it has begun. */
  async requestScan(): Promise<void> {
    await this.ask("POST", "/v1/protocols/kernel/scan");
  }

  /** Writes so far, also those the kernel refused. */
  async writes(): Promise<number> {
    const { add, replace, delete: deleted, errors } = (await this.kernel()).writes;
    return add + replace + deleted + Object.values(errors).reduce((sum, count) => sum + count, 0);
  }

  /** The command that lists all routes as an operator would. */
  listCommand(): string[] {
    return [KRTCTL, "--socket", this.socket, "show", "routes"];
  }

  /** Stops it and leaves the routes in the kernel. */
  async stopAndKeep(): Promise<void> {
    await this.stop(true);
  }

  /** Stops it, and unless they are kept it takes its routes out first. */
  async stop(keep: boolean): Promise<void> {
    await this.ask("POST", "/v1/shutdown", JSON.stringify({ keep }));
    await within("stopping krtd", this.child.exited, this.setting.limitMs, this.child);
    this.agent.destroy();
  }

  private message(message: string): Promise<number> {
    const known = this.logged.get(message);
    if (known !== undefined) return Promise.resolve(known);
    const heard = new Promise<number>((resolve) => this.waiting.set(message, resolve));
    const died = this.child.exited.then((code) => {
      throw new Error(`krtd ended with ${code}: ${this.child.stderr}`);
    });
    return within(`krtd until "${message}"`, Promise.race([heard, died]), this.setting.limitMs, this.child);
  }

  private heard(line: string, ms: number): void {
    if (!line.startsWith("{")) return;
    const { message } = JSON.parse(line) as { message: string };
    if (this.logged.has(message)) return;
    this.logged.set(message, ms);
    this.waiting.get(message)?.(ms);
  }

  private ask<T>(method: string, path: string, body?: string): Promise<T> {
    const options = {
      socketPath: this.socket,
      path,
      method,
      agent: this.agent,
      timeout: this.setting.limitMs,
    };
    return new Promise((resolve, reject) => {
      const asked = request(options, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", reject);
        response.on("end", () => {
          const ok = response.statusCode !== undefined && response.statusCode < 300;
          if (ok) resolve(JSON.parse(text) as T);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        });
      });
      asked.on("timeout", () => asked.destroy(new Error(`${method} ${path}: no answer`)));
      asked.on("error", reject);
      asked.end(body);
    });
  }
}
