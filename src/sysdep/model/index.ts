/**
 * An in-memory kernel and an Os over it: deterministic tests of the protocols without root. The same
 * compliance suite (test/sysdep/os-compliance.ts) runs on this and on Linux.
 */

import type { ModelKernel } from "./kernel.ts";
import type { AttrsWords } from "./kernel-route.ts";
import { ModelOs } from "./os.ts";

export { ModelKernel } from "./kernel.ts";
export type { AttrsWords } from "./kernel-route.ts";
export { modelOsProvider } from "./provider.ts";
export type { Answer, RequestNexthop, RouteOperation, RouteRequest, RouteView } from "./route.ts";
export { ModelOs };

/** An Os over `kernel`. Several may share one kernel: each sees the others' writes as somebody else's. */
export function modelOs(kernel: ModelKernel, attrs: AttrsWords): ModelOs {
  return new ModelOs(kernel, attrs);
}
