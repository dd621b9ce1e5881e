/** What a word may go on as, by the hidden command that shells and kubectl ask; and that bash really offers it. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { ordinal, WORLD } from "./support.ts";

async function words(line: string, world = WORLD): Promise<readonly string[]> {
  // A line ends in the word that is being written, which is empty after a space.
  const { exitCode, out, err } = await ordinal(`__complete -- ${line}`, world, false, line.endsWith(" "));
  expect([exitCode, err]).toEqual([0, ""]);
  const lines = out.trimEnd().split("\n");
  expect(lines.pop()).toBe(":4");
  return lines.map((each) => each.split("\t")[0] ?? "");
}

describe("a word goes on", () => {
  test.each<[string, readonly string[]]>([
    ["sta", ["status"]],
    ["restore ", ["undo", "forget", "mysql", "orders", "web"]],
    ["status m", ["mysql"]],
    ["status -n lab ", ["crm"]],
    ["status mysql ", []],
    ["status mysql -o ", ["json", "yaml", "wide"]],
    ["backup mysql --method l", ["logical"]],
    ["switchover mysql --to ", []],
    ["doctor mysql --as", ["--as-account"]],
    ["restore undo m", ["mysql"]],
    ["completion ", ["bash", "zsh", "fish", "kubectl"]],
    ["nonsense ", []],
  ])("%s", async (line, found) => {
    expect(await words(line)).toEqual(found);
  });

  test("as each command, and not as a hidden one", async () => {
    const found = await words(" ");
    expect(found).toContain("doctor");
    expect(found).not.toContain("__complete");
    expect((await ordinal("__complete -- docto")).out).toMatch(/^doctor\twhether all is there/);
  });

  test("as no name where the API server refuses, or there is no kubeconfig", async () => {
    const failure = { kind: "refused", message: "forbidden" } as const;
    expect(await words("status m", { ...WORLD, failure })).toEqual([]);
    expect(await words("status --kubeconfig broken m")).toEqual([]);
  });
});

test.each(["bash", "zsh", "fish", "kubectl"])("there is a script for %s that asks it", async (shell) => {
  const { exitCode, out } = await ordinal(`completion ${shell}`);
  expect([exitCode, out.includes("kubectl-ordinal __complete -- ")]).toEqual([0, true]);
});

test("bash offers what it says, without what it says about it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-completion-"));
  try {
    const program = join(folder, "kubectl-ordinal");
    writeFileSync(program, "#!/bin/sh\nprintf '%s\\tasked\\n' \"$*\"\nprintf ':4\\n'\n");
    chmodSync(program, 0o755);
    const script = (await ordinal("completion bash")).out;
    const line =
      "COMP_WORDS=(kubectl-ordinal status -n 'my shop' ''); COMP_CWORD=4; _kubectl_ordinal; printf '%s|' \"$COMPREPLY\"";
    const env = { PATH: [folder, process.env["PATH"]].join(delimiter) };
    const said = execFileSync("bash", ["--norc", "-c", `${script}\n${line}`], { env, encoding: "utf8" });
    expect(said).toBe("__complete -- status -n my shop |");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
