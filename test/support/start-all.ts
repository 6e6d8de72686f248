/** Tests of what comes of all protocols together start them as a daemon does, in one go. */

import type { ProtoManager } from "../../src/nest/proto-manager.ts";

/** Starts all that is down and not disabled. */
export function startAll(manager: ProtoManager): Promise<void> {
  return manager.start(manager.all().flatMap(({ disabled, protocol }) => (disabled ? [] : [protocol.name])));
}
