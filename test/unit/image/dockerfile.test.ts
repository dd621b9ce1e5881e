/** Who builds with Docker gets the same image: the Dockerfile has the files made by the same program, and says the same. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../../infra/dev/tool.ts";
import { settings } from "../../../infra/images/ordinal/image.ts";
import manifest from "../../../package.json" with { type: "json" };

const lines = readFileSync(join(root, "infra/images/ordinal/Dockerfile"), "utf8").split("\n");

/** What follows this instruction, each time that it is there. */
const said = (instruction: string) =>
  lines
    .filter((line) => line.startsWith(`${instruction} `))
    .map((line) => line.slice(instruction.length + 1));

test("user, environment and entry point are those of the image", () => {
  expect(said("USER")).toEqual([settings.User]);
  expect(said("ENV").map((line) => line.replaceAll('"', ""))).toEqual(settings.Env);
  expect(said("ENTRYPOINT").map((line) => JSON.parse(line) as unknown)).toEqual([settings.Entrypoint]);
});

test("the files are those that the image's own program writes, and nothing is put beside them", () => {
  expect(manifest.scripts.image).toContain("infra/images/ordinal/main.ts");
  expect(said("RUN")).toEqual(["npm run image -- --folder /files"]);
  expect(said("FROM")).toEqual([expect.stringMatching(/^node:24\.\d+\.\d+-\w+ AS files$/), "scratch"]);
  expect(said("COPY")).toEqual([". .", "--from=files /files /"]);
});
