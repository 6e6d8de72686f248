/** What live tests ask of a running krtd, straight over its control socket: a tenth of the time krtctl takes. */

import type { DaemonState, StatusReport } from "../../src/control/backend.ts";
import type { KernelProtocolJson, ProtocolJson, RouteJson } from "../../src/control/json.ts";
import { ask } from "./http-unix.ts";
import { waitFor } from "./netns.ts";

/** A kernel protocol as `show protocols` tells it. */
export type ShownKernel = ProtocolJson & { readonly kernel: KernelProtocolJson };

export interface KrtdApi {
  status(): Promise<StatusReport>;
  /** status().state, or null while nobody listens. */
  state(): Promise<string | null>;
  /** The routes of all tables; `parameters` are those of the API: "prefix=198.18.1.0/24&all=true". */
  routes(parameters?: string): Promise<RouteJson[]>;
  /** The best route of a prefix that exists. */
  route(prefix: string): Promise<RouteJson>;
  kernels(): Promise<ShownKernel[]>;
  /** Route changes sent to the kernel since the start, also those it refused. */
  writes(): Promise<number>;
  /**
   * Resolves when every kernel protocol has run a scan that began after this call and has written all it
   * asked for. `state`: what the daemon is in then.
   */
  scan(state?: DaemonState): Promise<void>;
  /** GET of any path, as JSON. */
  get<T>(path: string): Promise<T>;
  /** What krtctl does to protocols: `name` may be a pattern. Rejects when it was done to none. */
  act(action: "enable" | "disable" | "restart" | "reload" | "scan", name: string): Promise<void>;
  /** One protocol of any type, as `show protocols` tells it. */
  protocol(name: string): Promise<ProtocolJson>;
  /** Starts the orderly stop. */
  shutdown(options: { readonly keep: boolean }): Promise<void>;
}

export function krtdApi(socket: string): KrtdApi {
  const request = async <T>(method: string, path: string, body?: string): Promise<T> => {
    const answer = await ask(socket, path, { method, ...(body === undefined ? {} : { body }) });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text) as T;
  };
  const get = <T>(path: string): Promise<T> => request<T>("GET", path);
  const status = (): Promise<StatusReport> => get<StatusReport>("/v1/status");
  const routes = (parameters = ""): Promise<RouteJson[]> =>
    get<RouteJson[]>(`/v1/routes?table=all${parameters === "" ? "" : `&${parameters}`}`);
  const kernels = async (): Promise<ShownKernel[]> =>
    (await get<ProtocolJson[]>("/v1/protocols")).flatMap((entry) =>
      entry.kernel === undefined ? [] : [{ ...entry, kernel: entry.kernel }],
    );
  return {
    status,
    routes,
    kernels,
    get,
    async act(action, name) {
      await request("POST", `/v1/protocols/${encodeURIComponent(name)}/${action}`);
    },
    async protocol(name) {
      const [found] = await get<ProtocolJson[]>(`/v1/protocols?name=${encodeURIComponent(name)}`);
      if (found === undefined) throw new Error(`There is no protocol ${name}`);
      return found;
    },
    async state() {
      try {
        return (await status()).state;
      } catch {
        return null;
      }
    },
    async route(prefix) {
      const [best] = await routes(`prefix=${encodeURIComponent(prefix)}`);
      if (best === undefined) throw new Error(`There is no route ${prefix}`);
      return best;
    },
    async writes() {
      return (await kernels()).reduce((sum, { kernel }) => {
        const { add, replace, delete: deleted, errors } = kernel.writes;
        return sum + add + replace + deleted + Object.values(errors).reduce((a, b) => a + b, 0);
      }, 0);
    },
    async scan(state = "in-sync") {
      // A scan that is under way began before this call: the one after it counts.
      const wanted = new Map(
        (await kernels()).map(({ name, kernel: { scan } }) => [
          name,
          scan.count + (scan.state === "idle" ? 1 : 2),
        ]),
      );
      const behind = (all: readonly ShownKernel[]): boolean =>
        all.some(({ name, kernel }) => kernel.scan.count < (wanted.get(name) ?? 0));
      await waitFor("a scan", async () => {
        const all = await kernels();
        const idle = all.every(({ kernel }) => kernel.scan.state === "idle");
        if (idle && behind(all)) await request("POST", "/v1/protocols/all/scan");
        return idle && !behind(all) && (await status()).state === state;
      });
    },
    async shutdown(options) {
      await request("POST", "/v1/shutdown", JSON.stringify(options));
    },
  };
}
