/** Which kernel table belongs to a table, though the kernel protocol may not run, or there be no network namespace. */

import { kernelTableId } from "../lib/kernel-names.ts";
import type { ProtocolEntry } from "../nest/protocol.ts";
import { downWords } from "./absence.ts";
import { ApiError } from "./api-error.ts";
import type { TableContext } from "./table-context.ts";

/** The kernel table of a table, whether its kernel protocol runs or not. */
export interface KernelPlace {
  /** Name of the kernel protocol. */
  readonly name: string;
  readonly kernelTable: number;
  /** While it keeps nothing in the kernel why that is: `blue4 is down: There is no network namespace blue`. Else null. */
  readonly down: string | null;
  /** It was switched off by hand. */
  readonly disabled: boolean;
}

export function kernelPlace(entry: ProtocolEntry | undefined): KernelPlace | null {
  const { name, kernel, absentKernel } = entry?.protocol ?? {};
  const kernelTable = (kernel ?? absentKernel)?.kernelTable;
  if (entry === undefined || name === undefined || kernelTable === undefined) return null;
  const { disabled, state } = entry;
  return { name, kernelTable, disabled, down: state === "down" ? downWords(entry) : null };
}

/**
 * The kernel table of a kernel protocol whose network namespace is not there, by krtd's name of the table ("master4"),
 * by number, or by what iproute2 calls it; null: there is none.
 */
export function absentPlace(tables: readonly TableContext[], name: string): KernelPlace | null {
  const id = kernelTableId(name);
  const found = tables.find(
    ({ rtable, kernel, place }) =>
      kernel === null && place !== null && (rtable.name === name || place.kernelTable === id),
  );
  return found?.place ?? null;
}

/** What is thrown when something asks for the kernel's routes of such a place: 409. */
export function notUp(
  what: string,
  { name, down, disabled }: Pick<KernelPlace, "name" | "down" | "disabled">,
): ApiError {
  return new ApiError(
    409,
    "not-up",
    `Cannot ${what}: ${down}`,
    disabled ? `krtctl enable ${name}` : undefined,
  );
}
