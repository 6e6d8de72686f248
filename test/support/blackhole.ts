/** The least that a static route can say, for tests that need any route. */

import type { RouteSpec } from "../../src/proto/static/config.ts";

export const BLACKHOLE: RouteSpec = {
  type: "blackhole",
  nexthops: [],
  prefsrc: null,
  mtu: null,
  metric: null,
  recursive: null,
};
