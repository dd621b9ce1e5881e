/**
 * `npm run demo`: the whole story on a real cluster, told on standard error while it happens. With `--json`
 * the last line of standard output is one JSON object. Exit code 0 only when every step held.
 */
import { parseArgs } from "node:util";
import { kubectlCommand } from "../../test/support/cluster-access.ts";
import { PLACE } from "./stage.ts";
import { type StoryEnd, tellStory } from "./story.ts";
import { createTale, sentenceOf, type Tale, table } from "./tale.ts";

const usage = `Usage: npm run demo -- [options]

  --context NAME  use this context of your own kubeconfig; nothing is built
  --json          the last line of standard output is one JSON object

Without --context a local cluster named demo is brought up; it stays, with the demo in it.
`;

const say = (text: string): unknown => process.stderr.write(text);

interface Flags {
  readonly json: boolean;
  readonly context: string | undefined;
  readonly help: boolean;
}

function readFlags(): Flags | string {
  try {
    const boolean = { type: "boolean", default: false } as const;
    const { values } = parseArgs({ options: { json: boolean, context: { type: "string" }, help: boolean } });
    return { json: values.json, context: values.context, help: values.help };
  } catch (error) {
    // parseArgs reports wrong use by throwing.
    return error instanceof Error ? error.message : String(error);
  }
}

function lookAround({ status }: StoryEnd): string {
  if (status === null) return "";
  const { namespace, name } = PLACE;
  const lines = [
    ...kubectlCommand(status),
    `kubectl -n ${namespace} get pods -L ordinal.dev/role`,
    `kubectl -n ${namespace} get events --sort-by=.metadata.creationTimestamp`,
    `kubectl ordinal status ${name} -n ${namespace}`,
    `kubectl ordinal why ${name} -n ${namespace}`,
    `kubectl -n ${namespace} exec -it client -- mysql -h ${name}-primary -u root shop`,
  ];
  const remove =
    status.context === undefined
      ? "npm run local -- down --name demo"
      : `kubectl delete namespace ${namespace}`;
  return [
    "\nLook around:",
    ...lines.map((line) => `  ${line}`),
    "\nThe functions ran in this process and have ended with it: the database goes on replicating, and what",
    "happens from now on is acted on when they run again:",
    `  node shared/hosts/local/main.ts --namespace ${namespace}`,
    `\nRemove it all: ${remove}\n`,
  ].join("\n");
}

function report(end: StoryEnd, tale: Tale, flags: Flags): void {
  say(`\n${table(tale.chapters)}\n`);
  if (end.failure !== null) {
    const step = tale.chapters.findLast(({ ok }) => !ok)?.name ?? "start";
    say(`\nThe demo stopped at the step "${step}": ${sentenceOf(end.failure)}\n`);
  }
  say(lookAround(end));
  if (!flags.json) return;
  const answer = {
    ok: end.failure === null,
    steps: tale.chapters.map(({ name, ok, ms }) => ({ name, ok, ms })),
    ackedWrites: end.books.acked,
    lostWrites: end.books.lost,
    versions: end.status?.versions ?? {},
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (typeof flags === "string" || flags.help) {
    say(typeof flags === "string" ? `${flags}\n\n${usage}` : usage);
    return typeof flags === "string" ? 2 : 0;
  }
  const ending = new AbortController();
  const tale = createTale(say);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // A second signal does not wait for anything.
      if (ending.signal.aborted) process.exit(130);
      tale.say("demo", "stopping what this process has started; the cluster stays (again to stop at once)");
      ending.abort(new Error("interrupted"));
    });
  }
  const end = await tellStory({ context: flags.context, tale, signal: ending.signal });
  report(end, tale, flags);
  if (ending.signal.aborted) return 130;
  return end.failure === null ? 0 : 1;
}

// Waits of the runner that are still under way would keep the process alive for nothing.
process.exit(await main());
