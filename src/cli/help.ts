/** The help texts, made of the tables that also drive the parsing. */

import { COMMANDS, type CommandSpec, commandsLike } from "./commands.ts";
import { optionParser } from "./options.ts";

const EXIT_CODES = `Exit codes:
  0 ok   1 the daemon refused or failed   2 usage   3 daemon not reachable   4 bad configuration
  5 the kernel differs from what is wanted, or a plan is not empty   6 not found
  Of several protocols: 0 when each is as was asked (enabled already is no failure), 4 when bad configuration
  kept all the others from it, else 1. A glob and "all" leave out device protocols, which always run.`;

/** Help for `words`: the commands they may stand for, or everything when there are none. */
export function helpText(words: readonly string[]): string {
  if (words.length > 0) {
    return commandsLike(words)
      .map((command) => `Usage: krtctl ${line(command)}\n  ${sentence(command.summary)}\n`)
      .join("\n");
  }
  const commands = COMMANDS.map((command) => `  ${line(command)}\n        ${command.summary}`);
  const options = optionParser()
    .options.map(({ flags, description }) => `  ${flags.padEnd(24)} ${description}`)
    .join("\n");
  return (
    `Usage: krtctl [options] COMMAND\n\nAsks and tells a running krtd.\n\nCommands (any unambiguous prefix of a word will do):\n` +
    `${commands.join("\n")}\n\nOptions:\n${options}\n\n${EXIT_CODES}\n`
  );
}

function line(command: CommandSpec): string {
  return `${command.name} ${command.usage}`.trimEnd();
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
