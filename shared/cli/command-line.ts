/**
 * What all commands of the plugin have in common: their options, how a cluster is named, and how one of the verbs is run
 * against it. All that touches the process comes in as `Terminal`, so that a test runs the whole of it.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { KubeHandle } from "../adapters/kube/kube.ts";
import { quote } from "../annotations/text.ts";
import type { ClusterRef } from "../model/cluster.ts";
import { OBJECT_NAME } from "../model/kube.ts";
import { type ClusterRequest, scaleWishSchema } from "../model/request.ts";
import { MEMBERS_MAX } from "../model/state.ts";
import type { Clock } from "../ports/host.ts";
import { pause, prove, request, type Waiting } from "./orders.ts";
import { plan, planPause } from "./plans.ts";
import { coloured, plain } from "./table.ts";
import type { Answer, Ask, OutputFormat } from "./verbs.ts";

export interface Where {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** What is reached beside the API server. */
export type Reach = Pick<Ask, "servers" | "examiner" | "openStore" | "progressOf" | "showLog">;

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  readonly colour: boolean;
  /** Of this program. */
  readonly version: string;
  readonly clock: Clock;
  readonly timeZone?: string;
  /** The last line of standard error in place of the one before; absent = it is no terminal. */
  overwrite?(text: string): void;
  /** Asks whoever sits there; absent = nobody does. */
  readonly confirm?: (question: string) => Promise<boolean>;
  /** Throws when the kubeconfig cannot be used. */
  connect(where: Where): Reached | Promise<Reached>;
}

type Reached = Pick<KubeHandle, "kube" | "namespace" | "close"> & Reach;

export interface Options extends Where {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output?: OutputFormat;
}

export interface OrderOptions extends Options {
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout: number;
}

export class WrongUseError extends Error {}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

export function durationMs(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,4})([smh])$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined)
    throw new InvalidArgumentError("Write a whole number with s, m or h, such as 5m.");
  return Number(digits) * (UNIT_MS[unit] ?? 0);
}

export function wholeNumber(text: string): number {
  const read = scaleWishSchema.safeParse({ replicas: /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN });
  if (!read.success) throw new InvalidArgumentError(`Write a whole number from 1 to ${MEMBERS_MAX}.`);
  return read.data.replicas;
}

export function isName(text: string): boolean {
  return text.length <= 253 && OBJECT_NAME.test(text);
}

export function secretName(text: string): string {
  if (!isName(text)) throw new InvalidArgumentError("Write the name of a Secret.");
  return text;
}

function namespaceName(text: string): string {
  if (!isName(text)) throw new InvalidArgumentError("Write the name of a namespace.");
  return text;
}

/** `mysql` or `shop/mysql`. */
export function refOf(name: string, options: Options, fallback: string): ClusterRef {
  const [first = "", second, ...more] = name.split("/");
  // It becomes a part of a path: `..` and the like name nothing.
  if (more.length > 0 || !isName(first) || (second !== undefined && !isName(second))) {
    throw new WrongUseError(`${quote(name)} names no cluster: write NAME, or NAMESPACE/NAME.`);
  }
  if (second === undefined) return { namespace: options.namespace ?? fallback, name: first };
  if (options.namespace !== undefined && options.namespace !== first) {
    throw new WrongUseError(`Two namespaces are given, ${first} and ${options.namespace}: leave one out.`);
  }
  return { namespace: first, name: second };
}

export type Verb = (ask: Ask, namespace: string) => Promise<Answer>;

/** Runs one verb against the cluster that the options name, and answers with the exit code. */
export async function perform(terminal: Terminal, options: Options, verb: Verb): Promise<number> {
  let handle: Reached;
  try {
    handle = await terminal.connect(options);
  } catch (error) {
    terminal.err(
      `The kubeconfig cannot be used: ${error instanceof Error ? error.message : String(error)}.\n`,
    );
    return 2;
  }
  const { timeZone, clock } = terminal;
  const nowMs = clock.now();
  const ask: Ask = {
    ...handle,
    format: options.output ?? "text",
    here: timeZone === undefined ? { nowMs } : { nowMs, timeZone },
    paint: terminal.colour ? coloured : plain,
  };
  try {
    const answer = await verb(ask, handle.namespace);
    if (answer.output !== undefined) terminal.out(answer.output);
    const aside = answer.exitCode === 0 ? answer.remark : answer.complaint;
    if (aside !== undefined) terminal.err(`${aside}\n`);
    return answer.exitCode;
  } finally {
    handle.close();
  }
}

export function withOptions(command: Command, formats: readonly OutputFormat[]): Command {
  return command
    .addOption(new Option("-n, --namespace <name>", "namespace of the cluster").argParser(namespaceName))
    .addOption(new Option("-o, --output <format>", "for machines, or with more columns").choices(formats))
    .option("--context <name>", "context of the kubeconfig")
    .option("--kubeconfig <path>", "path of the kubeconfig file");
}

export type Ended = (exitCode: number) => void;

const DRY_RUN = "show what would be done, and do nothing";

/** Null = nobody waits. */
export function waitingOf(
  terminal: Terminal,
  { wait = false, timeout: timeoutMs }: OrderOptions,
): Waiting | null {
  const say = (text: string) => terminal.err(`${text}\n`);
  const overwrite = terminal.overwrite === undefined ? null : (text: string) => terminal.overwrite?.(text);
  return wait ? { clock: terminal.clock, timeoutMs, say, overwrite } : null;
}

/** What is done is told in sentences; only a plan is a document. */
export function noFormat({ output, dryRun = false }: OrderOptions): void {
  if (output !== undefined && !dryRun) throw new WrongUseError("-o goes with --dry-run only.");
}

/** Carries out what is asked, or shows its plan. */
export function carryOut(
  terminal: Terminal,
  name: string,
  options: OrderOptions,
  wish:
    | ClusterRequest
    | { readonly kind: "prove"; readonly slot: string | null }
    | { readonly kind: "pause" }
    | { readonly kind: "resume" },
): Promise<number> {
  const { clock } = terminal;
  const { dryRun = false } = options;
  noFormat(options);
  const waiting = waitingOf(terminal, options);
  return perform(terminal, options, (ask, namespace) => {
    const ref = refOf(name, options, namespace);
    if (wish.kind === "pause") return dryRun ? planPause(ask, ref) : pause(ask, ref, true);
    if (dryRun) return plan(ask, clock, ref, wish);
    if (wish.kind === "resume") return pause(ask, ref, false);
    return wish.kind === "prove" ? prove(ask, ref, wish.slot, waiting) : request(ask, ref, wish, waiting);
  });
}

export const NAME = "StatefulSet, or NAMESPACE/NAME";

export function orderOf(program: Command, name: string, description: string): Command {
  return withOptions(program.command(name), ["json", "yaml"])
    .description(description)
    .argument("<name>", NAME)
    .addOption(new Option("--dry-run", DRY_RUN).conflicts("wait"));
}

/** `timeout`: how long it waits where nothing is said. */
export function waits(command: Command, timeout = "5m", until = "until it is done or refused"): Command {
  const duration = new Option("--timeout <duration>", "how long to wait").argParser(durationMs);
  return command.option("--wait", until).addOption(duration.default(durationMs(timeout), timeout));
}
