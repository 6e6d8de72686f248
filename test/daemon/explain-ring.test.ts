/** explain of routes that go over several pipes, asked of a whole daemon. */

import { expect, it } from "vitest";
import { absentOffers } from "../../src/control/explain-sources.ts";
import { explainTarget } from "../../src/control/explain-target.ts";
import { Query } from "../../src/control/query.ts";
import { startDaemon } from "./fixture.ts";

it("blames no filter in a ring of three pipes that let all through", async () => {
  await using d = await startDaemon({
    tables: { b4: { family: "ipv4" }, c4: { family: "ipv4" } },
    kernel: { k4: { table: "master4", "scan-time": 0 } },
    static: { s: { table: "master4", routes: [{ prefix: "10.5.0.0/16", via: "10.0.0.2" }] } },
    pipe: {
      ab: { table: "master4", "peer-table": "b4", import: "all", export: "all" },
      bc: { table: "b4", "peer-table": "c4", import: "all", export: "all" },
      ca: { table: "c4", "peer-table": "master4", import: "all", export: "all" },
    },
  });
  const { backend } = d.daemon;
  const parameters = new URLSearchParams("prefix=10.5.0.0/16&table=master4");
  const target = explainTarget(backend, new Query(parameters, ["prefix", "table"]));
  expect(await absentOffers(backend, target, [], d.clock)).toEqual([]);
});
