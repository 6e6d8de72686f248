/** What every measurement is handed: where it works and where its values go. */

import type { Namespace } from "./namespace.ts";
import type { Family, RouteFiles } from "./routes.ts";
import type { Samples } from "./samples.ts";

export interface Setting {
  readonly family: Family;
  readonly namespace: Namespace;
  /** For sockets, configurations and programs; removed at the end. */
  readonly directory: string;
  readonly files: RouteFiles;
  /** How many routes are in the files. */
  readonly routes: number;
  readonly samples: Samples;
  /** Longest time that one step may take. */
  readonly limitMs: number;
}

/** Throws unless exactly all routes are in the kernel. */
export function expectAllRoutes({ namespace, family, routes }: Setting, who: string): void {
  const count = namespace.routeCount(family);
  if (count !== routes) throw new Error(`${who}: ${count} of ${routes} routes are in the kernel`);
}
