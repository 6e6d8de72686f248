/**
 * What any Os must do (src/sysdep/os.ts), as one suite of cases that runs on the model kernel and on Linux
 * over either transport. The cases drive the world around the Os by `ip` command lines, which the model
 * understands too (test/support/model-ip.ts).
 */

import { afterEach, beforeEach, describe } from "vitest";
import { changeCases } from "./compliance/changes.ts";
import { foreignCases } from "./compliance/foreign.ts";
import { interfaceCases } from "./compliance/interfaces.ts";
import { ComplianceRig, type FixtureMaker } from "./compliance/rig.ts";
import { routeCases } from "./compliance/routes.ts";

/** Registers all cases. Each gets a fresh world from `make`. */
export function describeOs(name: string, make: FixtureMaker): void {
  describe(`Os compliance: ${name}`, () => {
    let current: ComplianceRig | null = null;
    const rig = (): ComplianceRig => {
      if (current === null) throw new Error("The rig exists only while a case runs");
      return current;
    };

    beforeEach(async () => {
      current = await ComplianceRig.create(make);
    });

    afterEach(async () => {
      await current?.fixture.dispose();
      current = null;
    });

    describe("routes", () => routeCases(rig));
    describe("routes of others, and removals by the kernel", () => foreignCases(rig));
    describe("interfaces and events", () => interfaceCases(rig));
    describe("events of routes", () => changeCases(rig));
  });
}
