/** One mistake in krt.yaml and the exact words for it: the rows of the tables in test/config/bad-*.test.ts. */

/** One mistake on one line: the line, where the caret stands in it, the message, the hint. */
export type Mistake = [line: string, caret: string, message: string, hint?: string];

/** What loadConfig() says about it when the line has that number. */
export function rendered([line, caret, message, hint]: Mistake, number: number): string {
  const column = line.lastIndexOf(caret) + 1;
  const lineNumber = String(number).padStart(5);
  const shown = `${lineNumber} | ${line}\n      | ${" ".repeat(column - 1)}^\n`;
  return `krt.yaml:${number}:${column}: ${message}\n${shown}${hint === undefined ? "" : `  ${hint}\n`}`;
}
