/**
 * The command line of the kubectl plugin: verbs and options as kubectl spells them, parsed by commander. All
 * that touches the process comes in as `Terminal`, so that a test runs the whole of it.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { KubeHandle } from "../adapters/kube/kube.ts";
import { quote } from "../annotations/text.ts";
import { BACKUP_METHODS, type BackupMethod, parseSlot } from "../model/backup.ts";
import type { ClusterRef } from "../model/cluster.ts";
import { OBJECT_NAME } from "../model/kube.ts";
import { type ClusterRequest, scaleWishSchema, switchoverWishSchema } from "../model/request.ts";
import { MEMBERS_MAX } from "../model/state.ts";
import type { Clock } from "../ports/host.ts";
import { backups, backupsIn, prune } from "./backups.ts";
import { pause, prove, request } from "./orders.ts";
import { plan, planPause } from "./plans.ts";
import { coloured, plain } from "./table.ts";
import { type Answer, type Ask, clusterStatus, fleetStatus, type OutputFormat, why } from "./verbs.ts";

export interface Where {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** What is reached beside the API server. */
export type Reach = Pick<Ask, "servers" | "openStore" | "progressOf">;

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  readonly colour: boolean;
  readonly clock: Clock;
  readonly timeZone?: string;
  /** The last line of standard error in place of the one before; absent = it is no terminal. */
  overwrite?(text: string): void;
  /** Throws when the kubeconfig cannot be used. */
  connect(where: Where): Pick<KubeHandle, "kube" | "namespace" | "close"> & Reach;
}

interface Options extends Where {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output?: OutputFormat;
}

interface OrderOptions extends Options {
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout: number;
}

class WrongUseError extends Error {}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

function durationMs(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,4})([smh])$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined)
    throw new InvalidArgumentError("Write a whole number with s, m or h, such as 5m.");
  return Number(digits) * (UNIT_MS[unit] ?? 0);
}

function wholeNumber(text: string): number {
  const read = scaleWishSchema.safeParse({ replicas: /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN });
  if (!read.success) throw new InvalidArgumentError(`Write a whole number from 1 to ${MEMBERS_MAX}.`);
  return read.data.replicas;
}

function isName(text: string): boolean {
  return text.length <= 253 && OBJECT_NAME.test(text);
}

function secretName(text: string): string {
  if (!isName(text)) throw new InvalidArgumentError("Write the name of a Secret.");
  return text;
}

function namespaceName(text: string): string {
  if (!isName(text)) throw new InvalidArgumentError("Write the name of a namespace.");
  return text;
}

/** `mysql` or `shop/mysql`. */
function refOf(name: string, options: Options, fallback: string): ClusterRef {
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

type Verb = (ask: Ask, namespace: string) => Promise<Answer>;

/** Runs one verb against the cluster that the options name, and answers with the exit code. */
async function perform(terminal: Terminal, options: Options, verb: Verb): Promise<number> {
  let handle: ReturnType<Terminal["connect"]>;
  try {
    handle = terminal.connect(options);
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

function withOptions(command: Command, formats: readonly OutputFormat[]): Command {
  return command
    .addOption(new Option("-n, --namespace <name>", "namespace of the cluster").argParser(namespaceName))
    .addOption(new Option("-o, --output <format>", "for machines, or with more columns").choices(formats))
    .option("--context <name>", "context of the kubeconfig")
    .option("--kubeconfig <path>", "path of the kubeconfig file");
}

type Ended = (exitCode: number) => void;

const DRY_RUN = "show what would be done, and do nothing";

/** Carries out what is asked, or shows its plan. */
function carryOut(
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
  const { dryRun = false, wait = false, timeout: timeoutMs } = options;
  if (options.output !== undefined && !dryRun) throw new WrongUseError("-o goes with --dry-run only.");
  const say = (text: string) => terminal.err(`${text}\n`);
  const overwrite = terminal.overwrite === undefined ? null : (text: string) => terminal.overwrite?.(text);
  const waiting = wait ? { clock, timeoutMs, say, overwrite } : null;
  return perform(terminal, options, (ask, namespace) => {
    const ref = refOf(name, options, namespace);
    if (wish.kind === "pause") return dryRun ? planPause(ask, ref) : pause(ask, ref, true);
    if (dryRun) return plan(ask, clock, ref, wish);
    if (wish.kind === "resume") return pause(ask, ref, false);
    return wish.kind === "prove" ? prove(ask, ref, wish.slot, waiting) : request(ask, ref, wish, waiting);
  });
}

const NAME = "StatefulSet, or NAMESPACE/NAME";

function orderOf(program: Command, name: string, description: string): Command {
  return withOptions(program.command(name), ["json", "yaml"])
    .description(description)
    .argument("<name>", NAME)
    .addOption(new Option("--dry-run", DRY_RUN).conflicts("wait"));
}

/** `timeout`: how long it waits where nothing is said. */
function waits(command: Command, timeout = "5m"): Command {
  const duration = new Option("--timeout <duration>", "how long to wait").argParser(durationMs);
  return command
    .option("--wait", "until it is done or refused")
    .addOption(duration.default(durationMs(timeout), timeout));
}

function addOrders(program: Command, terminal: Terminal, ended: Ended): void {
  const order = (name: string, description: string) => orderOf(program, name, description);

  waits(order("scale", "more or fewer members; fewer only once nobody counts on those that leave"))
    .addOption(
      new Option("--replicas <number>", "how many members there are to be")
        .argParser(wholeNumber)
        .makeOptionMandatory(),
    )
    .action(async (name: string, options: OrderOptions & { readonly replicas: number }) => {
      const { replicas } = options;
      ended(await carryOut(terminal, name, options, { kind: "scale", wish: { replicas } }));
    });

  waits(order("switchover", "another member becomes the primary, with a short pause of writes"))
    .requiredOption("--to <pod>", "the member that is to be the primary")
    .action(async (name: string, options: OrderOptions & { readonly to: string }) => {
      const wish = switchoverWishSchema.safeParse({ to: options.to });
      if (!wish.success) throw new WrongUseError("--to must be the name of a pod, such as mysql-2.");
      ended(await carryOut(terminal, name, options, { kind: "switchover", wish: wish.data }));
    });

  for (const [kind, description] of [
    ["pause", "Ordinal looks and changes nothing, until resume"],
    ["resume", "Ordinal goes on after a pause"],
  ] as const) {
    order(kind, description).action(async (name: string, options: OrderOptions) => {
      ended(await carryOut(terminal, name, options, { kind }));
    });
  }
}

/** As `backups` prints it, or as it stands in a bucket: `20261123T030000Z`. */
function slotOf(text: string): string {
  const [, date, time] = /^(\d{8})T(\d{6})Z$/.exec(text) ?? [];
  const written =
    date === undefined || time === undefined
      ? text
      : `${date.replace(/(\d{4})(\d\d)(\d\d)/, "$1-$2-$3")}T${time.replace(/(\d\d)(\d\d)(\d\d)/, "$1:$2:$3")}Z`;
  const slot = parseSlot(written);
  if (slot === null)
    throw new WrongUseError(`${quote(text)} is no slot: write it like 2026-11-23T03:00:00Z.`);
  return slot;
}

interface BackupOptions extends OrderOptions {
  readonly method?: BackupMethod;
}

/** A backup of many gigabytes takes its time. */
const PATIENCE = "24h";

function addBackups(program: Command, terminal: Terminal, ended: Ended): void {
  waits(orderOf(program, "backup", "a backup now"), PATIENCE)
    .addOption(new Option("--method <method>", "another one than is set").choices(BACKUP_METHODS))
    .action(async (name: string, options: BackupOptions) => {
      const { method } = options;
      const wish = method === undefined ? {} : { method };
      ended(await carryOut(terminal, name, options, { kind: "backup", wish }));
    });

  waits(orderOf(program, "prove", "a backup is restored now to see whether it can be"), PATIENCE)
    .argument("[slot]", "of the backup; without it, the newest one")
    .action(async (name: string, text: string | undefined, options: OrderOptions) => {
      const slot = text === undefined ? null : slotOf(text);
      ended(await carryOut(terminal, name, options, { kind: "prove", slot }));
    });

  withOptions(program.command("backups"), ["json", "yaml"])
    .description("the backups of a cluster, or all that a store holds, as the store says")
    .argument("[name]", NAME)
    .addOption(
      new Option("--store <secret>", "Secret of a store; without it, the cluster's").argParser(secretName),
    )
    .action(async (name: string | undefined, options: Options & { readonly store?: string }) => {
      const { store: secret } = options;
      if (name === undefined && secret === undefined) {
        throw new WrongUseError("Name a cluster, or a store with --store SECRET.");
      }
      const verb: Verb = (ask, namespace) =>
        name === undefined
          ? backupsIn(ask, options.namespace ?? namespace, secret ?? "")
          : backups(ask, refOf(name, options, namespace), secret ?? null);
      ended(await perform(terminal, options, verb));
    });

  withOptions(program.command("prune"), ["json", "yaml"])
    .description("delete the backups that the retention does not keep")
    .argument("<name>", NAME)
    .option("--dry-run", "say what would be deleted and why, and do nothing")
    .action(async (name: string, options: OrderOptions) => {
      const verb: Verb = (ask, namespace) =>
        prune(ask, refOf(name, options, namespace), options.dryRun === true);
      ended(await perform(terminal, options, verb));
    });
}

function addPlan(program: Command, terminal: Terminal, ended: Ended): void {
  withOptions(program.command("plan"), ["json", "yaml"])
    .description("what the next pass would do now, step by step, with its statements")
    .argument("<name>", NAME)
    .action(async (name: string, options: Options) => {
      const verb: Verb = (ask, namespace) =>
        plan(ask, terminal.clock, refOf(name, options, namespace), { kind: "plan" });
      ended(await perform(terminal, options, verb));
    });
}

/** The exit code. Throws on a bug only. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  const program = new Command("kubectl ordinal")
    .description(
      "Looks at the databases that Ordinal manages, and asks for changes.\nIt needs to get and list StatefulSets and Pods, to patch StatefulSets for a change, and no database password. A plan looks at the servers:\nit needs to get Secrets and to create pods/portforward too. To list and prune backups it needs to get the Secret of their store.",
    )
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) });

  withOptions(program.command("status"), ["json", "yaml", "wide"])
    .description("all clusters in a table, or how one of them is")
    .argument("[name]", NAME)
    .option("-A, --all-namespaces", "clusters of all namespaces")
    .action(async (name: string | undefined, options: Options) => {
      const everywhere = options.allNamespaces === true;
      if (everywhere && (name !== undefined || options.namespace !== undefined)) {
        throw new WrongUseError("-A shows all clusters: leave the name and -n out, or leave out -A.");
      }
      exitCode = await perform(terminal, options, (ask, namespace) =>
        name === undefined
          ? fleetStatus(ask, everywhere ? null : (options.namespace ?? namespace))
          : clusterStatus(ask, refOf(name, options, namespace)),
      );
    });

  withOptions(program.command("why"), ["json", "yaml"])
    .description("what was decided about a cluster, and on what evidence; newest last")
    .argument("<name>", NAME)
    .action(async (name: string, options: Options) => {
      exitCode = await perform(terminal, options, (ask, namespace) =>
        why(ask, refOf(name, options, namespace)),
      );
    });

  const ended: Ended = (code) => {
    exitCode = code;
  };
  addPlan(program, terminal, ended);
  addOrders(program, terminal, ended);
  addBackups(program, terminal, ended);

  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has printed its own sentence, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof WrongUseError)) throw error;
    terminal.err(`${error.message}\n`);
    return 2;
  }
}
