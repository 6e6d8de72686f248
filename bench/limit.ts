/**
 * The kernel's limit: two C programs that do nothing but talk to it. Compiled here, when there is a compiler;
 * without one the table has no ratios.
 */

import { join } from "node:path";
import { run } from "./children.ts";
import { METRIC } from "./routes.ts";
import { expectAllRoutes, type Setting } from "./setting.ts";

const BATCH = 1024;
/** Foreign routes stand beside krtd's, behind them. */
const FOREIGN_METRIC = 77;
const COMPILE_LIMIT_MS = 60_000;

interface Answer {
  readonly routes: number;
  readonly seconds: number;
  /** Processor time, seconds. */
  readonly cpu: number;
}

export class Limit {
  private readonly push: string;
  private readonly dump: string;

  private constructor(push: string, dump: string) {
    this.push = push;
    this.dump = dump;
  }

  /** Compiles sources/{push,dump}.c into the directory; null when there is no working `cc`. */
  static async compile(sources: string, directory: string): Promise<Limit | null> {
    const [push, dump] = ["push", "dump"].map((name) => join(directory, `limit-${name}`)) as [string, string];
    try {
      await run(["cc", "-O2", "-o", push, join(sources, "push.c")], COMPILE_LIMIT_MS);
      await run(["cc", "-O2", "-o", dump, join(sources, "dump.c")], COMPILE_LIMIT_MS);
      return new Limit(push, dump);
    } catch {
      return null;
    }
  }

  /** Pushes all routes into the empty table, and takes them out again. */
  async measurePush(setting: Setting): Promise<void> {
    const { namespace, files, samples } = setting;
    const device = String(namespace.deviceIndex());
    const answer = await this.run(setting, [this.push, files.plain, device, String(BATCH), String(METRIC)]);
    expectAllRoutes(setting, "limit/push");
    samples.add("push.limit", answer.seconds);
    samples.add("push.limit-cpu", answer.cpu);
    await namespace.flush();
  }

  /** Puts all routes there beside those that are, as somebody else's; they stay. */
  async pushForeign(setting: Setting): Promise<void> {
    const { namespace, files } = setting;
    const device = String(namespace.deviceIndex());
    await this.run(setting, [this.push, files.plain, device, String(BATCH), String(FOREIGN_METRIC)]);
  }

  /** Dumps the table as it is. */
  async measureDump(setting: Setting): Promise<void> {
    const answer = await this.run(setting, [this.dump, String(setting.family)]);
    if (answer.routes < setting.routes) throw new Error(`limit/dump saw only ${answer.routes} routes`);
    setting.samples.add("scan.limit", answer.seconds);
    setting.samples.add("scan.limit-cpu", answer.cpu);
  }

  private async run(setting: Setting, command: readonly string[]): Promise<Answer> {
    const { stdout } = await run(setting.namespace.inside(command), setting.limitMs, { output: true });
    return JSON.parse(stdout) as Answer;
  }
}
