import { describe, expect, it } from "vitest";
import { COMMANDS, findCommand } from "../../src/cli/commands.ts";
import { escapeText, parseName } from "../../src/cli/escape.ts";
import { DRIFT_KEYWORDS, KERNEL_KEYWORDS, parseSelectors, ROUTE_KEYWORDS } from "../../src/cli/selectors.ts";

function thrown(act: () => unknown): { message: string; hint: string } {
  try {
    act();
  } catch (error) {
    return error as { message: string; hint: string };
  }
  throw new Error("nothing was thrown");
}

describe("findCommand()", () => {
  it.each([
    ["show routes", "show routes"],
    ["show route", "show routes"],
    ["sh ro", "show routes"],
    ["s r", null],
    ["sh st", null],
    ["sh stat", null],
    ["sh stati", "show static"],
    ["show k", "show kernel"],
    ["sh p all", "show protocols"],
    ["sc kernel4", "scan"],
    ["shut", "shutdown"],
    ["sh", null],
    ["s", null],
    ["show", null],
    ["sho", null],
    ["", null],
    ["scan", null],
    ["scan a b", null],
    ["shutdown now", null],
    ["show status now", null],
    ["show nothing", null],
    ["frob", null],
    ["he", "help"],
    ["sh dr", "show drift"],
    ["conf", "configure"],
    ["con a b c d", "configure"],
    ["configure a b c d e", null],
    ["p", "plan"],
    ["plan a b", null],
    ["en kernel4", "enable"],
    ["disa kernel4", "disable"],
    ["rest kernel4", "restart"],
    ["rel kernel4", "reload"],
    ["re kernel4", null],
    ["restart", null],
  ])("reads %j as %j", (line, name) => {
    const words = line.split(" ");
    if (name === null) expect(() => findCommand(words)).toThrow();
    else expect(findCommand(words).command.name).toBe(name);
  });

  it("never takes an unfinished word for shutdown while it may be show", () => {
    for (const text of ["s", "sh"]) expect(thrown(() => findCommand([text])).hint).toMatch(/show.*shutdown/);
  });

  it("lists what may follow", () => {
    expect(thrown(() => findCommand(["show", "x"])).hint).toContain("status, routes");
    expect(thrown(() => findCommand(["show", "sta"])).hint).toBe("It may be show status or show static.");
    expect(thrown(() => findCommand(["scan"])).hint).toBe("Usage: krtctl scan NAME|glob|all [--force]");
    expect(thrown(() => findCommand(["shutdown", "x"])).message).toBe('Too many words: "shutdown x"');
  });

  it("finds every command by its own name, and keeps what follows", () => {
    for (const { name, operands } of COMMANDS) {
      const rest = operands.min > 0 ? ["x"] : [];
      expect(findCommand([...name.split(" "), ...rest])).toMatchObject({ command: { name }, operands: rest });
    }
  });
});

describe("parseSelectors()", () => {
  it.each([
    ["", ""],
    ["192.0.2.0/24", "prefix=192.0.2.0/24"],
    ["default", "prefix=default"],
    ["fo 192.0.2.1", "for=192.0.2.1"],
    ["in 10.0.0.0/8 ta all", "in=10.0.0.0/8&table=all"],
    ["p uplinks s wait ty black", "protocol=uplinks&state=waiting&type=blackhole"],
    ["dev eth0 via 192.0.2.1 count all", "dev=eth0&via=192.0.2.1&count=true&all=true"],
    ["192.0.2.1", "prefix=192.0.2.1"],
    ["table count", "table=count"],
  ])("reads %j as %j", (line, query) => {
    const words = line === "" ? [] : line.split(" ");
    expect(decodeURIComponent(parseSelectors(words, ROUTE_KEYWORDS).toString())).toBe(query);
  });

  it.each([
    ["t x", "ambiguous keyword"],
    ["frob", "unknown keyword"],
    ["table", "no value"],
    ["state f", "ambiguous state"],
    ["state good", "unknown state"],
    ["count count", "twice"],
    ["10.0.0.0/8 11.0.0.0/8", "two prefixes"],
    ["class ours", "class is for show kernel"],
  ])("refuses %j: %s", (line) => {
    expect(() => parseSelectors(line.split(" "), ROUTE_KEYWORDS)).toThrow();
  });

  it("takes a prefix, a protocol and count for show drift", () => {
    const query = parseSelectors(["10.0.0.0/8", "p", "kernel4", "co"], DRIFT_KEYWORDS);
    expect(decodeURIComponent(query.toString())).toBe("prefix=10.0.0.0/8&protocol=kernel4&count=true");
    expect(() => parseSelectors(["table", "main"], DRIFT_KEYWORDS)).toThrow();
  });

  it("takes classes of kernel routes, shortened too", () => {
    expect(parseSelectors(["cl", "al"], KERNEL_KEYWORDS).toString()).toBe("class=alien");
  });
});

describe("escape", () => {
  it("parseName() takes a typed name as its UTF-8 bytes", () => {
    expect(parseName("é")).toBe("\xc3\xa9");
  });

  it("escapeText() keeps letters and spaces and disarms control characters and direction marks", () => {
    expect(escapeText("Größe 1\x1b[31m\n\u202e\x9b")).toBe("Größe 1\\x1b[31m\\x0a\\u202e\\x9b");
  });
});
