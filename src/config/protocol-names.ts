/** The names of protocols share one space, since commands take them without their type. */

import type { Problem } from "./problems.ts";
import { TOO_MANY_PROBLEMS } from "./problems.ts";
import { NAME } from "./schema-leaves.ts";
import type { Tree } from "./tree.ts";

/** Words that select several protocols, and the name of the device protocol. */
const RESERVED = new Set(["all", "none", "device"]);

const TITLES: Readonly<Record<string, string>> = {
  kernel: "Kernel",
  static: "Static",
  direct: "Direct",
  pipe: "Pipe",
};

/** No two protocols of one name: the later one in the file is wrong, and is told where the other is. */
export function checkProtocolNames(tree: Tree, problems: Problem[]): void {
  const first = new Map<string, string>();
  for (const section of tree.keys([])) {
    const title = TITLES[section];
    if (title === undefined) continue;
    for (const name of tree.keys([section])) {
      if (problems.length >= TOO_MANY_PROBLEMS) return;
      if (!NAME.test(name)) continue;
      const path = [section, name];
      if (RESERVED.has(name)) problems.push(tree.atKey(path, `"${name}" cannot be the name of a protocol`));
      const other = first.get(name);
      if (other === undefined) first.set(name, section);
      else {
        const line = tree.lineOfKey([other, name]);
        const message = `${TITLES[other]} protocol "${name}" has this name already, on line ${line}`;
        problems.push(tree.atKey(path, message));
      }
    }
  }
}
