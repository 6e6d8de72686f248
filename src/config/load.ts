/**
 * krt.yaml → KrtConfig, or every problem it has. The stages: bytes → text (source.ts) → YAML (compose.ts) →
 * plain values with places (tree.ts) → right types (shape.ts) → meaning (settings.ts, tables.ts,
 * filters.ts, and a file for each type of protocol; statics.ts also reads the route files). The first three stop at
 * their own errors, since what follows would be noise; from then on everything is checked and reported at once. A
 * running daemon reads its file again this way: between the stages, and within the long ones, the event loop has its
 * turn.
 */

import type { StaticConfig } from "../proto/static/config.ts";
import { compose } from "./compose.ts";
import type { KrtConfig } from "./config.ts";
import { readDirects } from "./directs.ts";
import { readSmallFile } from "./files.ts";
import { readFilters } from "./filters.ts";
import { GLOB_LIMIT } from "./glob.ts";
import { IPROUTE2_DIRECTORIES, kernelTableNames } from "./kernel-tables.ts";
import { readKernels } from "./kernels.ts";
import type { LastReading } from "./last-reading.ts";
import { readPipes } from "./pipes.ts";
import { fileProblem, type Problem, sortProblems } from "./problems.ts";
import { checkProtocolNames } from "./protocol-names.ts";
import type { Reading } from "./reading.ts";
import { readSettings } from "./settings.ts";
import { checkShape } from "./shape.ts";
import { decodeSource, SIZE_LIMIT, Source } from "./source.ts";
import { readStatic, readStatics } from "./statics.ts";
import { readTables } from "./tables.ts";
import { Tree } from "./tree.ts";
import { PathTrust, type Trusted, trustedByProcess } from "./trust.ts";

export { type Problem, renderProblems } from "./problems.ts";

export type LoadedConfig =
  | { readonly ok: true; readonly config: KrtConfig }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** One static protocol of a configuration that is good otherwise, too; null: there is none of that name. */
export type LoadedStatic =
  | { readonly ok: true; readonly config: StaticConfig | null }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface LoadOptions {
  /** Where the names of kernel tables come from. */
  readonly iproute2Directories?: readonly string[];
  /** Who may be able to change the files; null: anybody. Default: as this process needs it. */
  readonly trusted?: Trusted | null;
  /** What the reading before found, for one that finds the same bytes; brought up to date. */
  readonly last?: LastReading;
}

/** What one reading is not told by krt.yaml. */
type Fresh = Pick<Reading, "problems" | "trust" | "globs">;

/**
 * Reads and checks a configuration with its route files. Never rejects: whatever is wrong, also with reading,
 * is a problem. Changes nothing anywhere.
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  const fresh = freshOf(options);
  const bytes = await readSmallFile(file, file, SIZE_LIMIT, fresh.trust);
  if (!(bytes instanceof Uint8Array)) return { ok: false, problems: [bytes] };
  return understand(file, bytes, fresh, options, () => true);
}

/** As loadConfig(), for one static protocol: the route files of the others are not read. */
export async function loadStatic(
  file: string,
  name: string,
  options: LoadOptions = {},
): Promise<LoadedStatic> {
  const fresh = freshOf(options);
  const bytes = await readSmallFile(file, file, SIZE_LIMIT, fresh.trust);
  if (!(bytes instanceof Uint8Array)) return { ok: false, problems: [bytes] };
  const known = options.last?.find(file, bytes) ?? null;
  if (known === null) {
    const loaded = await understand(file, bytes, fresh, options, (other) => other === name);
    if (!loaded.ok) return loaded;
    return { ok: true, config: loaded.config.statics.find((one) => one.name === name) ?? null };
  }
  const { statics, fileProblems } = await readStatic({ ...known, ...fresh }, name);
  const problems = [...sortProblems(fresh.problems), ...fileProblems];
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config: statics[0] ?? null };
}

function freshOf({ trusted = trustedByProcess() }: LoadOptions): Fresh {
  return { problems: [], trust: new PathTrust(trusted), globs: { left: GLOB_LIMIT } };
}

/** `needsFiles` says of each static protocol whether its route files are of interest. */
async function understand(
  file: string,
  bytes: Uint8Array,
  fresh: Fresh,
  { iproute2Directories, last }: LoadOptions,
  needsFiles: (name: string) => boolean,
): Promise<LoadedConfig> {
  const { problems } = fresh;
  const tableNames = kernelTableNames(iproute2Directories ?? IPROUTE2_DIRECTORIES);
  const source = decodeSource(file, bytes);
  if (!(source instanceof Source)) return { ok: false, problems: [source] };
  const composed = await compose(source);
  if (composed.document === null) return { ok: false, problems: sortProblems(composed.problems) };
  const tree = await Tree.read(source, composed.document);
  if (tree.value === null) {
    const message = "The file holds no configuration";
    return { ok: false, problems: [fileProblem(file, message, "config/krt.yaml is an example")] };
  }
  const { input, problems: shapeProblems } = await checkShape(tree);
  problems.push(...tree.problems, ...shapeProblems);
  const settings = readSettings(input, tree, problems);
  checkProtocolNames(tree, problems);
  const tables = readTables(input, tree, problems);
  const filters = readFilters(input, tree, problems);
  const reading: Reading = { input, tree, tables, filters, ...fresh };
  // First, for the other protocols ask of which namespace the tables are.
  const kernels = readKernels(reading, await tableNames);
  const { statics, fileProblems } = await readStatics(reading, needsFiles);
  const directs = readDirects(reading);
  const pipes = readPipes(reading);
  if (problems.length > 0 || fileProblems.length > 0) {
    return { ok: false, problems: [...sortProblems(problems), ...fileProblems] };
  }
  last?.keep(file, bytes, reading);
  return {
    ok: true,
    config: { file, ...settings, tables: tables.all(), kernels, statics, directs, pipes },
  };
}
