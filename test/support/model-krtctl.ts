/** krtctl on the whole daemon that works on a model kernel (test/daemon/fixture.ts): what an operator is told there. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startControl } from "../../src/control/server.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { tryFlock } from "../../src/sysdep/linux/flock.ts";
import type { ModelDaemon } from "../daemon/fixture.ts";
import { type Ran, runKrtctl } from "./run-krtctl.ts";

export interface ModelKrtctl extends AsyncDisposable {
  /** Runs krtctl while the daemon's clock goes on. */
  run(...words: readonly string[]): Promise<Ran>;
  /** The answer to the words with --json. */
  json<T>(...words: readonly string[]): Promise<T>;
}

export async function modelKrtctl(d: ModelDaemon): Promise<ModelKrtctl> {
  const directory = mkdtempSync(join(tmpdir(), "krtd-told-"));
  const path = join(directory, "krtd.sock");
  const server = await startControl({
    backend: d.daemon.backend,
    clock: systemClock,
    log: silentLog,
    listen: { path, mode: 0o660, group: null, createParent: false, tryFlock },
  });
  const run = async (...words: readonly string[]): Promise<Ran> => {
    let done = false;
    const ran = runKrtctl(["-s", path, ...words]).finally(() => {
      done = true;
    });
    while (!done) await d.clock.advance(10);
    return ran;
  };
  return {
    run,
    json: async <T>(...words: readonly string[]) => JSON.parse((await run(...words, "--json")).out) as T,
    async [Symbol.asyncDispose]() {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
