/**
 * The command line of the kubectl plugin: verbs and options as kubectl spells them, parsed by commander. All
 * that touches the process comes in as `Terminal`, so that a test runs the whole of it.
 */
import { Command, CommanderError, Option } from "commander";
import { switchoverWishSchema } from "../model/request.ts";
import { addAbout } from "./about-commands.ts";
import { addBackups, addRestore } from "./backup-commands.ts";
import {
  carryOut,
  type Ended,
  NAME,
  type Options,
  type OrderOptions,
  orderOf,
  perform,
  refOf,
  type Terminal,
  type Verb,
  WrongUseError,
  waitingOf,
  waits,
  wholeNumber,
  withOptions,
} from "./command-line.ts";
import { addExamples } from "./examples.ts";
import type { Waiting } from "./orders.ts";
import { plan } from "./plans.ts";
import { addSetUp } from "./set-up-commands.ts";
import { awaitSettled } from "./settled.ts";
import { clusterStatus, fleetStatus, why } from "./verbs.ts";

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

const HEALTHY = "until it is healthy, and every member has the pod template as it is now";

function untilSettled(
  terminal: Terminal,
  name: string | undefined,
  options: OrderOptions,
  waiting: Waiting,
): Promise<number> {
  if (name === undefined) throw new WrongUseError("--wait goes with the name of one cluster.");
  if (options.output !== undefined) throw new WrongUseError("-o does not go with --wait.");
  return perform(terminal, options, (ask, namespace) =>
    awaitSettled(ask, refOf(name, options, namespace), waiting),
  );
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

  waits(withOptions(program.command("status"), ["json", "yaml", "wide"]), "5m", HEALTHY)
    .description("all clusters in a table, or how one of them is")
    .argument("[name]", NAME)
    .option("-A, --all-namespaces", "clusters of all namespaces")
    .action(async (name: string | undefined, options: OrderOptions) => {
      const waiting = waitingOf(terminal, options);
      if (waiting !== null) {
        exitCode = await untilSettled(terminal, name, options, waiting);
        return;
      }
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
  addRestore(program, terminal, ended);
  addSetUp(program, terminal, ended);
  addAbout(program, terminal, ended);
  addExamples(program);

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
