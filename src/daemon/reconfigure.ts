/**
 * From the running configuration to another, by its plan. What is not in the plan sees nothing of it. The order keeps
 * every route that both configurations want in its place:
 *
 *   1  tables and namespaces that are new
 *   2  kernel protocols that go or restart: stop. Their routes stay when another instance takes the kernel table over
 *   3  all that changes in place; route sources that are new start
 *   4  route sources that go stop (a net that moved to a new one is there already); those that restart do
 *   5  kernel protocols that are new or restart: start, adopt what they want, then delete what nobody wants
 *   6  too many routes would go from a kernel table: all of it is undone, in the same way, and nothing was written
 *   7  tables and namespaces that are not needed any more
 *
 * Kernel protocols write when all of it is done: a route that another protocol takes over, whichever way
 * round that happens here, does not flicker.
 */

import type { KrtConfig } from "../config/config.ts";
import type { ConfigPlan } from "../config/plan.ts";
import { assertNever } from "../lib/assert.ts";
import { DirectProtocol } from "../proto/direct/direct.ts";
import { KernelProtocol } from "../proto/kernel/kernel.ts";
import { PipeProtocol } from "../proto/pipe/pipe.ts";
import { StaticProtocol } from "../proto/static/static.ts";
import type { Protocols } from "./protocols.ts";
import { isTakenOver, type ProtocolSpec, specsOf, tablesOf } from "./specs.ts";
import { type ProtocolDeletions, TooManyDeletions, tooMany } from "./too-many-deletions.ts";

export interface Surroundings {
  readonly protocols: Protocols;
  /** The new configuration holds from now on: for whatever is made. Opens namespaces and makes tables that are new. */
  readonly enter: (config: KrtConfig) => Promise<void>;
  /** Closes namespaces and drops tables that the new configuration does not name. */
  readonly leave: (config: KrtConfig) => Promise<void>;
}

/** How much a change may delete, and what to do when it would be more. */
export interface DeletionLimit {
  /** safety.max-delete-percent of the configuration that has run until now: a bad file must not switch it off. */
  readonly percent: number;
  /** The configuration before holds again; resolves with the plan that leads back to it. */
  readonly goBack: () => Promise<ConfigPlan>;
  /** How the client can have it all the same. */
  readonly hint: string;
}

/**
 * Carries the plan out. `soft`: changed filters count for routes that change from now on. `limit` null: it may delete
 * whatever it deletes. Otherwise rejects with TooManyDeletions, when all is as it was.
 */
export function applyPlan(
  surroundings: Surroundings,
  before: KrtConfig,
  after: KrtConfig,
  plan: ConfigPlan,
  { soft, limit }: { readonly soft: boolean; readonly limit: DeletionLimit | null },
): Promise<void> {
  const { protocols, leave } = surroundings;
  const refuse = (
    found: readonly ProtocolDeletions[],
    { percent, hint }: DeletionLimit,
    outcome = "nothing was changed",
  ): never => {
    throw new TooManyDeletions(found, percent, { outcome, hint });
  };
  return protocols.atOnce(async () => {
    const pending = await protocols.pending();
    const going = limit === null ? [] : tooMany(await flushed(protocols, before, after, plan), limit.percent);
    if (limit !== null && going.length > 0) {
      await limit.goBack();
      refuse(going, limit);
    }
    // What may be deleted is what was allowed until it is certain that the change is made: a scan may come meanwhile.
    const percent = limit?.percent ?? after.safety.maxDeletePercent;
    const { disabled } = protocols;
    await applySteps(surroundings, before, after, plan, { soft, keep: false, percent, disabled });
    await protocols.settled();
    const found = limit === null ? [] : tooMany(await protocols.deletions(pending), limit.percent);
    if (limit !== null && found.length > 0) {
      // Nothing of it was written yet: back the same way, and what each table wants is what it wanted.
      const back = await limit.goBack();
      await applySteps(surroundings, after, before, back, {
        soft: false,
        keep: true,
        percent: limit.percent,
        disabled,
      });
      await protocols.settled();
      const outcome = await leaveWhatSoftFiltersReject(protocols, pending, limit.percent);
      await leave(before);
      refuse(found, limit, outcome);
    }
    await configureSafety(protocols, plan, after.safety);
    await leave(after);
  }, limit === null);
}

/**
 * What the kernel protocols delete that stop for good: in the first step, before all others, when what is protected is
 * what `after` says.
 */
async function flushed(
  protocols: Protocols,
  before: KrtConfig,
  after: KrtConfig,
  plan: ConfigPlan,
): Promise<ProtocolDeletions[]> {
  const old = specsOf(before);
  const action = actionsOf(plan, old);
  const found: ProtocolDeletions[] = [];
  for (const { name, rails, persists } of protocols.kernels) {
    const spec = old.get(name);
    const stops = action.get(name) === "remove" || action.get(name) === "restart";
    if (!stops || persists || spec?.type !== "kernel") continue;
    if (isTakenOver(spec.config, before, after, protocols.disabled)) continue;
    found.push({ protocol: name, ...(await rails.flush(after.safety)) });
  }
  return found;
}

/**
 * Back at the configuration before, filters that were changed softly turn away what was exported again. Where that is
 * too much it is left to a scan, which withholds it. Returns what became of the change, for the one who made it.
 */
async function leaveWhatSoftFiltersReject(
  protocols: Protocols,
  pending: ReadonlyMap<string, number>,
  percent: number,
): Promise<string | undefined> {
  const rejected = (await protocols.deletions(pending)).filter(({ deletions }) => deletions > 0);
  if (rejected.length === 0) return undefined;
  const kept = tooMany(rejected, percent).map(({ protocol }) => protocol);
  for (const { name, rails } of protocols.kernels) if (kept.includes(name)) await rails.leaveToScan();
  const stay = kept.length === 0 ? "" : `; those of ${kept.join(", ")} stay in the kernel`;
  return `the configuration before runs on, but wants fewer routes than it did, as filters that were changed softly hold now${stay}`;
}

/** What the change says of it. Kernel protocols that are new have it already. */
async function configureSafety(
  protocols: Protocols,
  plan: ConfigPlan,
  safety: KrtConfig["safety"],
): Promise<void> {
  if (!plan.settings.some(({ key }) => key === "safety")) return;
  for (const { rails } of protocols.kernels) await rails.configure(safety);
}

/**
 * `keep`: kernel protocols that go leave all they have in the kernel. `percent`: the most that scans delete. `disabled`:
 * names of what was switched off by hand, also of what is gone for the moment, and comes back.
 */
async function applySteps(
  { protocols, enter }: Surroundings,
  before: KrtConfig,
  after: KrtConfig,
  plan: ConfigPlan,
  {
    soft,
    keep: keepAll,
    percent,
    disabled,
  }: {
    readonly soft: boolean;
    readonly keep: boolean;
    readonly percent: number;
    readonly disabled: ReadonlySet<string>;
  },
): Promise<void> {
  const old = specsOf(before);
  const wanted = specsOf(after);
  const action = actionsOf(plan, old);
  const named = (what: Action, specs: ReadonlyMap<string, ProtocolSpec>, kernels: boolean): string[] =>
    [...action]
      .filter(([name, is]) => is === what && (specs.get(name)?.type === "kernel") === kernels)
      .map(([name]) => name);

  /** What was switched off by hand stays so, though another instance takes its place. */
  const startNew = async (names: readonly string[]): Promise<void> => {
    for (const name of names) {
      protocols.put(wanted.get(name)!);
      protocols.manager.setDisabled(name, disabled.has(name));
    }
    if (names.length > 0) await protocols.start(names);
  };

  await enter(after);
  await configureSafety(protocols, plan, { ...after.safety, maxDeletePercent: percent });
  for (const name of [...named("remove", old, true), ...named("restart", old, true)]) {
    const spec = old.get(name);
    const taken = spec?.type === "kernel" && isTakenOver(spec.config, before, after, disabled);
    const keep = keepAll || taken;
    await protocols.drop(name, keep);
  }
  for (const name of [...named("reconfigure", wanted, true), ...named("reconfigure", wanted, false)]) {
    await reconfigure(protocols, wanted.get(name)!, soft);
  }
  await startNew(named("add", wanted, false));
  for (const name of named("remove", old, false)) await protocols.drop(name, false);
  for (const name of named("restart", old, false)) await protocols.drop(name, false);
  await startNew(named("restart", wanted, false));
  await startNew([...named("restart", wanted, true), ...named("add", wanted, true)]);
}

type Action = ConfigPlan["protocols"][number]["action"];

/** The plan's actions by name. A protocol on a table that is made anew restarts, whatever else. */
function actionsOf(plan: ConfigPlan, old: ReadonlyMap<string, ProtocolSpec>): Map<string, Action> {
  const action = new Map<string, Action>();
  for (const [name, spec] of old) {
    if (tablesOf(spec).some((table) => plan.tables.removed.includes(table))) action.set(name, "restart");
  }
  for (const change of plan.protocols) {
    if (change.type === "device") continue;
    if (change.action !== "reconfigure" || !action.has(change.name)) action.set(change.name, change.action);
  }
  return action;
}

async function reconfigure(protocols: Protocols, spec: ProtocolSpec, soft: boolean): Promise<void> {
  const { name } = spec.config;
  const entry = protocols.manager.byName(name);
  if (entry?.state !== "up") {
    // Switched off, or without its namespace: the next instance is made by the new words.
    protocols.put(spec);
    return;
  }
  protocols.note(spec);
  const { protocol } = entry;
  switch (spec.type) {
    case "kernel":
      if (protocol instanceof KernelProtocol) await protocol.reconfigure(spec.config, { soft });
      return;
    case "static":
      if (protocol instanceof StaticProtocol) await protocol.reconfigure(spec.config, soft);
      return;
    case "direct":
      if (protocol instanceof DirectProtocol) await protocol.reconfigure(spec.config, soft);
      return;
    case "pipe":
      if (protocol instanceof PipeProtocol) await protocol.reconfigure(spec.config, soft);
      return;
    default:
      assertNever(spec);
  }
}
