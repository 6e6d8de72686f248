/** Under which numbers routes of ours may stand: what the next instance has to take for ours. */

import { afterEach, describe, expect, it } from "vitest";
import { ENETUNREACH, ENOBUFS } from "../../../src/lib/errno.ts";
import { Renumbering } from "../../../src/proto/kernel/renumbering.ts";
import { WriteCounters } from "../../../src/proto/kernel/write-counters.ts";
import { ROUTE_DELETE } from "../../../src/sysdep/os.ts";
import { type Fixture, fixture, ip, OWN, safety } from "./fixture.ts";

const FORMER = 119;
const NET = "10.1.0.0/16";
const via = { nexthops: [{ via: "10.0.0.2" }] };

let f: Fixture;
afterEach(async () => {
  await f.protocol.stop({ keep: true });
});

/** A route of the former number stands there. */
async function begin(more: Parameters<typeof fixture>[0] = {}, prefix = NET): Promise<void> {
  f = await fixture({ former: [FORMER], ...more });
  const nexthops = [{ gateway: ip("10.0.0.2"), device: 0 }];
  f.foreign({ op: "add", prefix, protocol: FORMER, metric: 32, nexthops });
}

describe("KernelProtocol.standing", () => {
  it("has the former numbers until the first sync, and not when all is renumbered", async () => {
    await begin();
    f.want(NET, via);
    expect(f.protocol.standing).toEqual([OWN, FORMER]);
    await f.start();
    expect(f.protocol.standing).toEqual([OWN]);
    expect(f.shown()).toEqual([expect.stringContaining(`proto ${OWN}`)]);
  });

  it("has them not when what nobody wanted is deleted", async () => {
    await begin();
    await f.start();
    expect(f.shown()).toEqual([]);
    expect(f.protocol.standing).toEqual([OWN]);
  });

  it.each(["wanted", "unwanted"])("has them as long as one could not be written, %s", async (how) => {
    await begin();
    if (how === "wanted") f.want(NET, via);
    f.os.faults.failNextWrite(ENOBUFS);
    await f.start();
    expect(f.protocol.standing).toEqual([OWN, FORMER]);
    await f.clock.advance(20_000);
    await f.scan();
    expect(f.protocol.standing).toEqual([OWN]);
  });

  it("has them as long as one waits, though a scan has looked at it since", async () => {
    await begin();
    f.want(NET, via);
    for (let i = 0; i < 3; i++) f.os.faults.failNextWrite(ENETUNREACH);
    await f.start();
    for (let scans = 0; scans < 2; scans++) {
      expect(f.shown()).toEqual([expect.stringContaining(`proto ${FORMER}`)]);
      expect([f.protocol.inSync, f.protocol.standing]).toEqual([true, [OWN, FORMER]]);
      await f.scan();
    }
    await f.scan();
    await f.scan();
    expect(f.shown()).toEqual([expect.stringContaining(`proto ${OWN}`)]);
    expect(f.protocol.standing).toEqual([OWN]);
  });

  it("has them as long as one is protected", async () => {
    await begin({ safety: safety([NET]) });
    await f.start();
    await f.scan();
    expect(f.shown()).toEqual([expect.stringContaining(`proto ${FORMER}`)]);
    expect(f.protocol.inSync).toBe(true);
    expect(f.protocol.standing).toEqual([OWN, FORMER]);
  });

  it("has them as long as deletions are withheld", async () => {
    await begin();
    for (let i = 2; i < 22; i++) {
      f.foreign({
        op: "add",
        prefix: `10.${i}.0.0/16`,
        protocol: FORMER,
        metric: 32,
        nexthops: [{ gateway: ip("10.0.0.2"), device: 0 }],
      });
    }
    await f.start();
    expect(f.protocol.report().withheld).toBe(21);
    expect(f.protocol.standing).toEqual([OWN, FORMER]);
  });
});

describe("Renumbering", () => {
  it("ends with a dump that proves what it does not show, and with no other", () => {
    const counters = new WriteCounters();
    const renumbering = new Renumbering(counters);
    const shown = { renumbered: true, keepsNumber: false };
    const notShown = { renumbered: false, keepsNumber: false };
    expect(renumbering.possible, "before any dump nobody asks").toBe(false);
    renumbering.begin(shown, true);
    expect(renumbering.possible, "not written yet").toBe(true);
    renumbering.queued(shown);
    expect(renumbering.possible, "all written").toBe(false);
    counters.note(ROUTE_DELETE, ENOBUFS);
    expect(renumbering.possible).toBe(true);
    renumbering.begin(notShown, false);
    renumbering.queued(notShown);
    expect(renumbering.possible, "a dump may omit routes when others change").toBe(true);
    renumbering.begin(notShown, true);
    renumbering.queued(notShown);
    expect(renumbering.possible).toBe(false);
  });
});
