/**
 * Our packages under AWS's own runtime client, and serverless.yml through the open packager and the linter of templates: each
 * of them is fetched once, into the cache beside Node.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { root } from "../../infra/dev/tool.ts";
import { lambdaFunctions } from "../../infra/lambda/bundle.ts";
import { cached } from "../../infra/local/build.ts";
import { cacheFolder } from "../../infra/local/instance.ts";
import { ensurePackages, findProgram } from "../../infra/local/packages.ts";
import { attempt, run } from "../../infra/local/process.ts";
import { SIGNATURE_HEADER, sign } from "../../shared/hosts/signature.ts";
import { makeServerCertificate } from "../support/certificates.ts";
import { type EksGate, openGate } from "../support/eks-gate.ts";
import { type Lambda, startLambda } from "../support/lambda-emulator.ts";
import { httpEvent, tickEvents } from "../support/lambda-payloads.ts";

const RIC = "aws-lambda-ric-4.0.2";
const OSLS = "osls-4.3.1";
const LINT = "cfn-lint-1.58.0";
const FETCH_MS = 600_000;
const SECRET = "0123456789abcdef0123456789abcdef";

/** `osls-4.3.1` as npm names it. */
const spec = (entry: string): string => entry.replace(/-(?=\d)/, "@");

const fromNpm = (entry: string, ...more: readonly string[]): Promise<string> =>
  cached(entry, async (scratch) => {
    await run("npm", ["install", "--prefix", scratch, "--no-audit", "--no-fund", ...more, spec(entry)]);
  });

const linter = (): Promise<string> =>
  cached(LINT, async (scratch) => {
    if ((await attempt("python3", ["-m", "pip", "--version"])).code !== 0)
      await ensurePackages([["pip3", "python3-pip"]]);
    await run("python3", [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--target",
      scratch,
      spec(LINT).replace("@", "=="),
    ]);
  });

/** Undefined when it is there, or was brought. */
async function whyMissing(fetching: () => Promise<unknown>): Promise<string | undefined> {
  return await fetching().then(
    () => undefined,
    (error: unknown) =>
      `not to be had: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`,
  );
}

/** What AWS's client is compiled with, which takes two minutes once. */
const COMPILING = [
  ["cmake", "cmake"],
  ["g++", "g++"],
  ["make", "make"],
  ["xz", "xz-utils"],
] as const;

async function awsClient(): Promise<string> {
  const isKept = existsSync(join(cacheFolder(), RIC));
  if (!isKept && COMPILING.some(([program]) => findProgram(program) === undefined))
    await ensurePackages(COMPILING);
  return await fromNpm(RIC);
}

const noClient = await whyMissing(awsClient);
const skipped = (reason: string | undefined): string => (reason === undefined ? "" : ` (skipped: ${reason})`);

describe.skipIf(noClient !== undefined)(`under AWS's own runtime client${skipped(noClient)}`, () => {
  let folder: string;
  let gate: EksGate;
  let client: readonly string[];
  const running: Lambda[] = [];

  const start = async (name: string): Promise<Lambda> => {
    const env = { ...gate.env, ORDINAL_FORWARD_SECRET: SECRET };
    const lambda = await startLambda({ name, env, client });
    running.push(lambda);
    return lambda;
  };

  beforeAll(async () => {
    const installed = await awsClient();
    client = [join(installed, "node_modules/aws-lambda-ric/index.mjs"), "index.handler"];
    folder = mkdtempSync(join(tmpdir(), "ordinal-ric-"));
    gate = await openGate(await makeServerCertificate(folder), (incoming, response) => {
      const one = incoming.url?.endsWith("/mysql") === true;
      const body = one ? { message: "not found" } : { metadata: { resourceVersion: "1" }, items: [] };
      response.writeHead(one ? 404 : 200, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  }, FETCH_MS);
  afterAll(() => {
    for (const lambda of running) lambda.end();
    gate.close();
    rmSync(folder, { recursive: true });
  });

  test("a tick in each of its forms is taken", async () => {
    const sweep = await start("sweep");
    for (const event of Object.values(tickEvents("dev.ordinal.sweep")))
      expect(await sweep.invoke(event)).toEqual({ ok: true, answer: { status: "accepted" } });
  });

  test("a forwarded event is answered when its pass has ended, and one that is not ours is refused", async () => {
    const failure = await start("pod-failure");
    const path = "/events/pod-failure";
    const body = JSON.stringify({ kind: "Pod", namespace: "shop", name: "mysql-0", apiVersion: "v1" });
    const unsigned = {
      ...{ "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/test", "content-type": "application/json" },
      "ce-type": "dev.knative.apiserver.ref.delete",
    };
    const signature = sign(SECRET, { path, headers: unsigned, body }, Date.now());
    const headers = { ...unsigned, [SIGNATURE_HEADER]: signature };
    const event = { method: "POST", path, body, base64: true };
    expect(await failure.invoke(httpEvent({ ...event, headers }))).toMatchObject({
      answer: { statusCode: 202, body: expect.stringContaining('"outcome":"unmanaged"') },
    });
    expect(await failure.invoke(httpEvent({ ...event, headers: unsigned }))).toMatchObject({
      answer: { statusCode: 401 },
    });
  });
});

const noTools = (await whyMissing(() => fromNpm(OSLS, "--ignore-scripts"))) ?? (await whyMissing(linter));

const templateSchema = z.object({
  Resources: z.record(
    z.string(),
    z.looseObject({ Type: z.string(), Properties: z.looseObject({}).optional() }),
  ),
});

describe.skipIf(noTools !== undefined)(`serverless.yml${skipped(noTools)}`, () => {
  const template = join(root, ".serverless/cloudformation-template-update-stack.json");
  let osls: string;
  let resources: z.infer<typeof templateSchema>["Resources"];

  beforeAll(async () => {
    osls = join(await fromNpm(OSLS, "--ignore-scripts"), "node_modules/.bin/osls");
    mkdirSync(join(root, "dist"), { recursive: true });
    await run(process.execPath, [join(root, "infra/lambda/main.ts")], { cwd: root });
    await run(process.execPath, [osls, "package"], { cwd: root });
    resources = templateSchema.parse(JSON.parse(readFileSync(template, "utf8"))).Resources;
  }, FETCH_MS);

  const ofType = (type: string) => Object.values(resources).filter(({ Type }) => Type === type);

  test("is packaged without an account, and the linter of templates finds nothing in it", async () => {
    const { code, stdout } = await attempt(
      "python3",
      // The one warning is about what osls itself writes.
      [join(await linter(), "bin/cfn-lint"), "--ignore-checks", "W3005", "--", template],
      { env: { PYTHONPATH: await linter() } },
    );
    expect([stdout.trim(), code]).toEqual(["", 0]);
  });

  test("gives each function its limits, and each tick its retries and the dead-letter queue", () => {
    const functions = ofType("AWS::Lambda::Function").map(({ Properties }) => Properties ?? {});
    expect(functions).toHaveLength(lambdaFunctions().length);
    for (const properties of functions) {
      expect(properties).toMatchObject({
        ...{ Architectures: ["arm64"], MemorySize: 256, Timeout: 29, Runtime: "nodejs24.x" },
        ReservedConcurrentExecutions: expect.any(Number),
        VpcConfig: expect.anything(),
      });
    }
    expect(ofType("AWS::Logs::LogGroup").map(({ Properties }) => Properties?.["RetentionInDays"])).toEqual(
      functions.map(() => 30),
    );
    const schedules = ofType("AWS::Scheduler::Schedule").map(({ Properties }) => Properties?.["Target"]);
    expect(schedules).toHaveLength(2);
    for (const target of schedules)
      expect(target).toMatchObject({
        RetryPolicy: { MaximumRetryAttempts: 2 },
        DeadLetterConfig: expect.anything(),
      });
  });

  test("lets nobody do anything with a star but write logs", () => {
    const allowed = JSON.stringify(ofType("AWS::IAM::Role")).match(/"Action":(?:"[^"]+"|\[[^\]]+\])/g) ?? [];
    const actions = new Set(allowed.flatMap((text) => text.match(/[a-z]+:[A-Za-z*]+/g) ?? []));
    expect([...actions].sort()).toEqual(
      [
        ...["lambda:InvokeFunction", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        ...["logs:TagResource", "sqs:SendMessage", "sts:AssumeRole"],
      ].sort(),
    );
  });

  test("a misspelt key is refused", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ordinal-osls-"));
    try {
      const given = readFileSync(join(root, "serverless.yml"), "utf8").replace(
        "  timeout: 29",
        "  timout: 29",
      );
      writeFileSync(join(folder, "serverless.yml"), given);
      const { code, stdout, stderr } = await attempt(process.execPath, [osls, "print"], { cwd: folder });
      expect([code === 0, `${stdout}${stderr}`.includes("timout")]).toEqual([false, true]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
