/**
 * Ordinal's image as it is shipped: its programs run with nothing of this machine, as nobody, from a root that they
 * cannot write to, and what is in it is what the bill of materials says.
 */
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { pinnedNode } from "../../infra/dev/node24.mjs";
import { root } from "../../infra/dev/tool.ts";
import { buildImage, type OrdinalImage } from "../../infra/images/ordinal/image.ts";
import { bundlePrograms } from "../../infra/images/ordinal/programs.ts";
import { buildRuntime, nodeIn, type Runtime } from "../../infra/images/ordinal/runtime.ts";
import { findProgram } from "../../infra/local/packages.ts";
import { attempt, type RunOutcome, run } from "../../infra/local/process.ts";
import { loadFunctions, SOURCE_FOLDER } from "../../shared/hosts/local/function-folder.ts";

/** Node is 109 MB of it, the program of Jobs and the host 3 each. */
const MEGABYTES_MAX = 125;
const sbomPath = "usr/share/doc/ordinal/sbom.cdx.json";
const HOST_KILOBYTES_MAX = 3_300;

const reason =
  process.platform !== "linux" || findProgram("dpkg-query") === undefined
    ? "the image is made of a Debian system's libraries"
    : null;
const isRoot = process.getuid?.() === 0;
const asNobody = reason === null && !isRoot ? " (skipped: another root folder needs root)" : "";

/** Every file below it, by its path from there. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

describe.skipIf(reason !== null)(`the image${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "ordinal-image-"));
  const rootfs = join(scratch, "rootfs");
  let runtime: Runtime;
  let built: OrdinalImage;

  beforeAll(async () => {
    chmodSync(scratch, 0o755);
    runtime = await buildRuntime();
    built = await buildImage({ name: "ordinal:test", runtime, folder: scratch });
    mkdirSync(rootfs);
    for (const layer of built.image.layers) {
      await run("tar", ["--extract", `--file=${layer}`, `--directory=${rootfs}`]);
    }
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  /** In the image's own root folder, as its own user, with its own environment. */
  function within(args: readonly string[]): Promise<RunOutcome> {
    const { User, Env = [] } = built.image.config;
    return attempt("env", ["-i", ...Env, findProgram("chroot") ?? "", `--userspec=${User}`, rootfs, ...args]);
  }

  test("the same tree gives the same bytes", async () => {
    const [folder, cache] = [join(scratch, "again"), join(scratch, "cache")];
    for (const made of [folder, cache]) mkdirSync(made);
    const { node, version } = await pinnedNode();
    symlinkSync(dirname(dirname(node)), join(cache, `node-${version}`));
    const before = process.env["ORDINAL_CACHE"];
    process.env["ORDINAL_CACHE"] = cache;
    const fresh = await buildRuntime().finally(() => {
      if (before === undefined) delete process.env["ORDINAL_CACHE"];
      else process.env["ORDINAL_CACHE"] = before;
    });
    const again = await buildImage({ name: "ordinal:test", runtime: fresh, folder });
    expect(fresh.layer).not.toBe(runtime.layer);
    expect(again.sbom).toBe(built.sbom);
    expect(again.image.config).toEqual(built.image.config);
    for (const [at, layer] of again.image.layers.entries()) {
      const same = await attempt("cmp", [layer, built.image.layers[at] ?? ""]);
      expect(same.code, same.stdout).toBe(0);
    }
  });

  test("it holds the runtime, the programs and what is said about them; no shell and nothing else", () => {
    const names = filesBelow(rootfs).map((name) =>
      name
        .replace(/chunks\/\w+\.mjs$/, "chunks/*")
        .replace(/functions\/[a-z-]+\//, "functions/*/")
        .replace(/lib\/lib[a-z+_]+\.so\.\d$/, "lib/*")
        .replace(/doc\/(?!ordinal)[^/]+\//, "doc/*/"),
    );
    expect([...new Set(names)]).toEqual([
      "etc/group",
      "etc/nsswitch.conf",
      "etc/passwd",
      "etc/ssl/certs/ca-certificates.crt",
      "host/chunks/*",
      "host/functions/*/index.mjs",
      "host/host.mjs",
      "ordinal/copy.mjs",
      "ordinal/job.mjs",
      "ordinal/ld.so",
      "ordinal/lib/*",
      "ordinal/node",
      "usr/share/doc/*/copyright",
      "usr/share/doc/ordinal/LICENSE",
      "usr/share/doc/ordinal/npm-licenses.txt",
      "usr/share/doc/ordinal/sbom.cdx.json",
    ]);
  });

  test("all of it is root's, and nobody else may change any of it", async () => {
    for (const layer of built.image.layers) {
      const listed = await run("tar", ["--list", "--verbose", "--numeric-owner", `--file=${layer}`]);
      const lines = listed.trim().split("\n");
      expect(lines.filter((line) => !/^(?:drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) 0\/0 /.test(line))).toEqual([]);
      expect(lines.filter((line) => !line.includes("1970-01-01"))).toEqual([]);
    }
  });

  test("it stays small", () => {
    const bytes = (folder: string) =>
      filesBelow(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(bytes(rootfs) / 1e6).toBeLessThan(MEGABYTES_MAX);
    expect(bytes(join(rootfs, "host")) / 1e3).toBeLessThan(HOST_KILOBYTES_MAX);
  });

  test("the loader finds every library in the image", async () => {
    const [loader = "", ...rest] = nodeIn(join(rootfs, "ordinal"));
    const listed = await run(loader, ["--list", ...rest]);
    const found = [...listed.matchAll(/=> (\S+)/g)].map(([, path = ""]) => path);
    expect(found.length).toBeGreaterThan(3);
    expect(found.filter((path) => !path.startsWith(`${rootfs}/`))).toEqual([]);
  });

  test.skipIf(!isRoot)(`Node runs there with nothing of this machine, as nobody${asNobody}`, async () => {
    const script = `
      const when = new Date(0).toLocaleString("de", { timeZone: "Europe/Berlin", dateStyle: "full" });
      const { username, uid } = os.userInfo();
      console.log(JSON.stringify({ when, username, uid, version: process.versions.node,
        authorities: tls.getCACertificates().length > tls.rootCertificates.length }));`;
    const ran = await within([...nodeIn("/ordinal"), "--eval", script]);
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(ran.stdout)).toEqual({
      when: "Donnerstag, 1. Januar 1970",
      username: "ordinal",
      uid: 65532,
      version: (await pinnedNode()).version,
      authorities: true,
    });
  });

  test.skipIf(!isRoot)(`the host finds all functions${asNobody}`, async () => {
    const { events, requests } = await loadFunctions(SOURCE_FOLDER);
    const ran = await within([...built.image.config.Entrypoint, "--only", "nobody"]);
    const names = [...events, ...requests].map(({ name }) => name).join(", ");
    expect(ran).toEqual({ code: 2, stdout: "", stderr: `there is no function nobody, only ${names}\n` });
  });

  test("what Jobs carry away runs elsewhere, programs included", async () => {
    const volume = join(scratch, "tools");
    mkdirSync(volume);
    const copy = [...nodeIn(join(rootfs, "ordinal")), join(rootfs, "ordinal/copy.mjs")];
    const [program = "", ...args] = copy;
    await run(program, [...args, volume]);
    // A container that is started once more.
    await run(program, [...args, volume]);
    expect(filesBelow(volume)).toEqual(filesBelow(join(rootfs, "ordinal")));
    const moved = join(scratch, "moved");
    cpSync(volume, moved, { recursive: true });
    rmSync(volume, { recursive: true });
    const [loader = "", ...rest] = nodeIn(moved);
    expect(await run(loader, [...rest, "--print", "6 * 7"])).toBe("42\n");
    const refused = await attempt(loader, [...rest, join(moved, "copy.mjs"), volume]);
    expect(refused).toEqual({
      code: 2,
      stdout: "",
      stderr: `${volume} is no folder; mount a volume there\n`,
    });
  });

  test("the bill of materials names every package of which something is in it", async () => {
    const schema = z.object({ components: z.array(z.object({ name: z.string(), purl: z.string() })) });
    const { components } = schema.parse(JSON.parse(built.sbom));
    const { packages } = await bundlePrograms();
    expect(packages).toContain("node_modules/zod");
    const names = components.map(({ name }) => name);
    const { name: node } = await pinnedNode();
    expect(names).toEqual(expect.arrayContaining([node, "libc6", "libstdc++6", "ca-certificates"]));
    expect(components.filter(({ purl }) => purl.startsWith("pkg:npm/"))).toHaveLength(packages.length + 1);
    const told = await run("tar", ["--extract", "--to-stdout", `--file=${built.image.layers[1]}`, sbomPath]);
    expect(told).toBe(built.sbom);
  });

  test("`npm run image` writes the same files into a folder, for Docker", async () => {
    const folder = join(scratch, "files");
    const program = join(root, "infra/images/ordinal/main.ts");
    const told = await run(process.execPath, [program, "--folder", folder, "--json"]);
    expect(JSON.parse(told)).toEqual({ folder });
    expect(filesBelow(folder)).toEqual(filesBelow(rootfs));
  });
});
