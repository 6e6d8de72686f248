/** The schema as JSON Schema, for editors: config/krt.schema.json is this text (`npm run schema` writes it). */

import { z } from "zod";
import { krtSchema } from "./schema.ts";

export function renderJsonSchema(): string {
  const schema = z.toJSONSchema(krtSchema, { io: "input" });
  const titled = { ...schema, title: "krt.yaml", description: "Configuration of krtd" };
  return `${JSON.stringify(titled, null, 2)}\n`;
}
