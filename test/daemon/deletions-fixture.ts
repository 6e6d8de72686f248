/** What the tests of safety.max-delete-percent at a configuration share: forty routes, and attempts to have others. */

import type { KernelInput, KrtInput, RouteInput } from "../../src/config/input.ts";
import type { ConfigureRequest, ConfigureResult } from "../../src/control/backend.ts";
import type { ModelDaemon } from "./fixture.ts";

export const FAMILIES = [
  { family: 4, table: "master4", via: "10.0.0.2", net: (i: number) => `10.5.${i}.0/24` },
  { family: 6, table: "master6", via: "2001:db8:0:1::2", net: (i: number) => `2001:db8:${5000 + i}::/48` },
] as const;

export interface Attempts {
  /** Static routes from number `from` up to, without, `to`. */
  routes(from: number, to: number): RouteInput[];
  config(list: RouteInput[], more?: Omit<KrtInput, "kernel">, kernel?: KernelInput): KrtInput;
  readonly FULL: KrtInput;
  attempt(d: ModelDaemon, input: KrtInput, request?: Partial<ConfigureRequest>): Promise<ConfigureResult>;
  isRefused(result: ConfigureResult): boolean;
}

export function attempts({ table, via, net }: (typeof FAMILIES)[number]): Attempts {
  const routes = (from: number, to: number): RouteInput[] =>
    Array.from({ length: to - from }, (_, i) => ({ prefix: net(from + i), via }));
  const config = (
    list: RouteInput[],
    more: Omit<KrtInput, "kernel"> = {},
    kernel: KernelInput = {},
  ): KrtInput => ({
    kernel: { k: { table, "scan-time": 0, ...kernel } },
    static: { s: { table, routes: list } },
    ...more,
  });
  const FULL = config(routes(0, 40));
  const attempt = async (
    d: ModelDaemon,
    input: KrtInput,
    request: Partial<ConfigureRequest> = {},
  ): Promise<ConfigureResult> => {
    await d.write(input);
    const all: ConfigureRequest = { file: d.file, mode: "apply", undoAfterMs: null, ...request };
    const result = await d.during(d.daemon.configuration.configure(all));
    for (let i = 0; i < 5; i++) await d.clock.advance(100);
    return result;
  };
  const isRefused = (result: ConfigureResult): boolean => !result.ok && "tooMany" in result;
  return { routes, config, FULL, attempt, isRefused };
}
