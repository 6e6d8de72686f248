/** The compliance suite on the in-memory kernel. */

import { ModelKernel, modelOs } from "../../../src/sysdep/model/index.ts";
import { modelIpAll } from "../../support/model-ip.ts";
import { describeOs } from "../os-compliance.ts";

describeOs("model", async (attrs) => {
  const kernel = new ModelKernel();
  const os = modelOs(kernel, attrs);
  await os.open();
  return {
    os,
    hasTexts: true,
    ip: async (commands) => modelIpAll(kernel, commands),
    dispose: () => os.close(),
  };
});
