/** Many routes of both families, and the files and configuration that make krtd want them. */

import { type ConfigOptions, configText, FAMILIES } from "../../support/families.ts";
import { routeFile, type WantedRoute, type WantedRoutes } from "./wanted.ts";

export interface RouteSet {
  readonly wanted: WantedRoutes;
  /** For KrtdOptions.files. */
  readonly files: Readonly<Record<string, string>>;
  config(options?: ConfigOptions): string;
}

let sets = 0;

/** `count` host routes of each family; a `variant` shares two thirds of the prefixes and half of the gateways. */
export function routeSet(count: number, variant = 0): RouteSet {
  const routesOf = (index: 0 | 1): WantedRoute[] => {
    const { gateway, otherGateway, host } = FAMILIES[index]!;
    return Array.from({ length: count }, (_, i): WantedRoute => {
      const prefix = host(i * 2 + (i % 3 === 0 ? variant : 0));
      if (i % 50 === 0) return { prefix, type: "blackhole" };
      if (i % 20 === 0) return { prefix, nexthops: [{ via: gateway }, { via: otherGateway, weight: 2 }] };
      return { prefix, via: (i + variant) % 2 === 0 ? gateway : otherGateway };
    });
  };
  const wanted: WantedRoutes = { 4: routesOf(0), 6: routesOf(1) };
  const name = sets++;
  const files = { 4: `set${name}-4.routes`, 6: `set${name}-6.routes` };
  return {
    wanted,
    files: { [files[4]]: routeFile(wanted[4]), [files[6]]: routeFile(wanted[6]) },
    config: (options = {}) => configText({}, { ...options, files }),
  };
}
