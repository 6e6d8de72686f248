/**
 * The running configuration, and the way to another one: read, plan, apply, go back. A file that cannot be used changes
 * nothing. One configuration is remembered, the one before; an apply with a time limit goes back to it by itself unless
 * it is confirmed.
 */

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { KrtConfig } from "../config/config.ts";
import { type Problem, renderProblems } from "../config/load.ts";
import { type ConfigPlan, planConfig } from "../config/plan.ts";
import type { ConfigReader } from "../config/reader.ts";
import type { ActRefusal, ConfigureRequest, ConfigureResult, StatusReport } from "../control/backend.ts";
import { Alarm } from "../lib/alarm.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { refused } from "./act.ts";
import type { Jobs } from "./jobs.ts";
import { applyPlan, type DeletionLimit, type Surroundings } from "./reconfigure.ts";
import { TooManyDeletions } from "./too-many-deletions.ts";

const HIDDEN = "This cannot be used";
const HIDDEN_HINT = "the file is not readable for everybody: krtd's log tells what is wrong, or krtd --check";

/** Readable for everybody, or not there at all. */
async function isOpenToAll(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  return found === null || (found.mode & 0o004) !== 0;
}

export interface ConfigurationOptions {
  readonly config: KrtConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly jobs: Jobs;
  /** The daemon has started and does not stop yet. */
  readonly running: () => boolean;
  readonly surroundings: Surroundings;
  readonly onConfig: (config: KrtConfig) => void;
  readonly reader: ConfigReader;
}

interface ApplyOptions {
  readonly soft: boolean;
  readonly reason: string;
  readonly joins: boolean;
  /** However much it deletes from the kernel. */
  readonly force: boolean;
}

export class Configuration {
  private readonly options: ConfigurationOptions;
  private config: KrtConfig;
  private previous: KrtConfig | null = null;
  private loadedAt: number;
  /** Why the last file was refused, or null. */
  private error: string | null = null;
  private readonly undoAlarm: Alarm;
  /** Monotonic, or null: nothing waits to be confirmed. */
  private undoAt: number | null = null;

  constructor(options: ConfigurationOptions) {
    this.options = options;
    this.config = options.config;
    this.loadedAt = options.clock.wall();
    this.undoAlarm = new Alarm(options.clock, () => {
      this.undoUnconfirmed(this.undoAt).catch((error: unknown) => {
        options.log.error("going back failed", { error: errorText(error) });
      });
    });
  }

  get current(): KrtConfig {
    return this.config;
  }

  report(): StatusReport["config"] {
    const { clock } = this.options;
    const left = this.undoAt === null ? null : Math.max(0, Math.ceil((this.undoAt - clock.now()) / 1000));
    return {
      file: resolve(this.config.file),
      loaded: new Date(this.loadedAt).toISOString(),
      ok: this.error === null,
      error: this.error,
      "undo-in-seconds": left,
    };
  }

  /** Reads a configuration and does with it what the mode says. Never rejects for what stands in the file. */
  configure(request: ConfigureRequest): Promise<ConfigureResult> {
    return this.options.jobs.run(() => this.configureNow(request));
  }

  /** Goes back to the configuration before the last one; null: there is none. */
  undo(): Promise<ConfigureResult | null> {
    return this.options.jobs.run(() => this.undoNow());
  }

  /**
   * Reads again what the running file says of one static protocol, its route files with it, and applies that and
   * nothing else of the file. Not a new configuration: what undo() goes back to stays. Called in a job. Resolves with
   * null, or with why nothing was changed; rejects with TooManyDeletions.
   */
  async reread(name: string, force: boolean): Promise<ActRefusal | null> {
    const { clock, log, surroundings, reader } = this.options;
    const { config } = this;
    const { file } = config;
    const before = config.statics.find((one) => one.name === name);
    if (before === undefined) return refused(`There is no static protocol "${name}"`);
    const loaded = await reader.loadStatic(file, name);
    if (!loaded.ok) {
      log.error("a static protocol was not reloaded", {
        protocol: name,
        problems: renderProblems(loaded.problems),
      });
      const reason = renderProblems(await this.tellable(loaded.problems)).trimEnd();
      return { code: "bad-config", reason };
    }
    const after = loaded.config;
    if (after === null) return refused(`it is not in ${file} any more: "configure" removes it`);
    if (after.table !== before.table || after.routes.family !== before.routes.family) {
      return refused(`it is on another table in ${file}: "configure" moves it`);
    }
    // Filters have a section of their own, which is not what is read here.
    const kept = after.import.name === before.import.name ? { ...after, import: before.import } : after;
    const next = { ...config, statics: config.statics.map((one) => (one === before ? kept : one)) };
    const plan = await planConfig(config, next, clock);
    this.config = next;
    const limit = force ? null : this.limit(config, next, `krtctl reload --force ${name}`);
    await applyPlan(surroundings, config, next, plan, { soft: false, limit });
    const changes = plan.protocols.flatMap(({ reasons }) => reasons);
    log.info("static protocol reloaded", { protocol: name, file, changes });
    return null;
  }

  /** The limit of a change that is being made from `before`. */
  private limit(before: KrtConfig, next: KrtConfig, command: string): DeletionLimit {
    return {
      percent: before.safety.maxDeletePercent,
      goBack: () => {
        this.config = before;
        return planConfig(next, before, this.options.clock);
      },
      hint: `"${command}" makes the change all the same`,
    };
  }

  /** Keeps what would be undone by itself; false: nothing waits for it. */
  confirm(): boolean {
    const waited = this.undoAt !== null;
    this.undoAt = null;
    this.undoAlarm.cancel();
    return waited;
  }

  /** Nothing is undone by itself any more. */
  close(): void {
    this.confirm();
  }

  /** What was done while this waited for its turn may have confirmed it, or given it more time. */
  private undoUnconfirmed(dueAt: number | null): Promise<unknown> {
    const { jobs, log } = this.options;
    return jobs.run(async () => {
      if (dueAt === null || this.undoAt !== dueAt) return null;
      log.warn("the configuration was not confirmed in time: going back to the one before");
      return await this.undoNow();
    });
  }

  private async undoNow(): Promise<ConfigureResult | null> {
    this.confirm();
    const { previous } = this;
    if (previous === null || !this.options.running()) return null;
    const plan = await planConfig(this.config, previous, this.options.clock);
    await this.apply(previous, plan, { soft: false, reason: "undo", joins: false, force: true });
    return { ok: true, file: previous.file, plan, applied: true };
  }

  private async configureNow(request: ConfigureRequest): Promise<ConfigureResult> {
    const { file, mode, undoAfterMs, force = false } = request;
    const { clock, log, running, reader } = this.options;
    const wanted = file ?? this.config.file;
    const loaded = await reader.load(wanted);
    const applies = mode === "apply" || mode === "soft";
    if (!loaded.ok) {
      const told = renderProblems(await this.tellable(loaded.problems));
      if (applies) {
        this.error = told;
        const problems = renderProblems(loaded.problems);
        log.error("the configuration was refused: the old one goes on", { file: wanted, problems });
      }
      return { ok: false, file: wanted, problems: told };
    }
    const plan = await planConfig(this.config, loaded.config, clock);
    if (!applies || !running()) return { ok: true, file: wanted, plan, applied: false };
    // What waits to be confirmed goes on waiting when nothing changes, and with a limit of its own the change joins it.
    const joins = this.undoAt !== null && (plan.empty || undoAfterMs !== null);
    try {
      const how = { soft: mode === "soft", reason: "configure", joins, force };
      await this.apply(loaded.config, plan, how);
    } catch (error) {
      if (!(error instanceof TooManyDeletions)) throw error;
      const { message, hint, found } = error;
      this.error = `${wanted}: ${message}`;
      log.error("the configuration was refused: too much would be deleted from the kernel", {
        file: wanted,
        deletions: found,
        hint,
      });
      return { ok: false, file: wanted, tooMany: { message, hint } };
    }
    if (undoAfterMs !== null && (joins || !plan.empty)) this.undoWithin(undoAfterMs);
    return { ok: true, file: wanted, plan, applied: true };
  }

  private undoWithin(ms: number): void {
    this.undoAt = this.options.clock.now() + ms;
    this.undoAlarm.cancel();
    this.undoAlarm.within(ms);
  }

  /** `joins`: what runs is not confirmed, and this is not either: both are undone at once. Throws TooManyDeletions. */
  private async apply(
    next: KrtConfig,
    plan: ConfigPlan,
    { soft, reason, joins, force }: ApplyOptions,
  ): Promise<void> {
    const { log, surroundings, clock, onConfig } = this.options;
    const before = this.config;
    const { previous, loadedAt, undoAt } = this;
    const started = clock.now();
    if (!joins) this.confirm();
    if (!joins && !plan.empty) this.previous = before;
    this.config = next;
    this.error = null;
    this.loadedAt = clock.wall();
    onConfig(next);
    try {
      const limit = force ? null : this.limit(before, next, `krtctl configure --force`);
      await applyPlan(surroundings, before, next, plan, { soft, limit });
    } catch (error) {
      if (!(error instanceof TooManyDeletions)) throw error;
      this.previous = previous;
      this.loadedAt = loadedAt;
      if (!joins && undoAt !== null) this.undoWithin(Math.max(0, undoAt - clock.now()));
      onConfig(before);
      throw error;
    }
    log.info("configuration applied", {
      reason,
      file: next.file,
      protocols: plan.protocols.map(({ name, action }) => `${name}: ${action}`),
      "at-next-start": plan.settings.filter(({ effect }) => effect === "restart").map(({ key }) => key),
      ms: Math.round(clock.now() - started),
    });
  }

  /**
   * The problems as they may be told to a client: krtd may read files that the one who asks may not, so of a file that
   * is neither the running configuration nor readable for everybody only the place is told. The log has it all.
   */
  private async tellable(problems: readonly Problem[]): Promise<Problem[]> {
    const open = new Map<string, boolean>([[resolve(this.config.file), true]]);
    const told: Problem[] = [];
    for (const problem of problems) {
      const file = resolve(problem.file);
      if (!open.has(file)) open.set(file, await isOpenToAll(file));
      told.push(
        open.get(file) === true
          ? problem
          : { ...problem, message: HIDDEN, hint: HIDDEN_HINT, sourceLine: null },
      );
    }
    return told;
  }
}
