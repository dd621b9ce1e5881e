/**
 * The command line of the kubectl plugin: verbs and options as kubectl spells them, parsed by commander. All
 * that touches the process comes in as `Terminal`, so that a test runs the whole of it.
 */
import { Command, CommanderError, Option } from "commander";
import type { KubeHandle } from "../adapters/kube/kube.ts";
import type { ClusterRef } from "../model/cluster.ts";
import { coloured, plain } from "./table.ts";
import { type Answer, type Ask, clusterStatus, fleetStatus, type OutputFormat, why } from "./verbs.ts";

export interface Where {
  readonly kubeconfig?: string;
  readonly context?: string;
}

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  readonly colour: boolean;
  readonly nowMs: number;
  readonly timeZone?: string;
  /** Throws when the kubeconfig cannot be used. */
  connect(where: Where): Pick<KubeHandle, "kube" | "namespace" | "close">;
}

interface Options extends Where {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output?: OutputFormat;
}

class WrongUseError extends Error {}

/** `mysql` or `shop/mysql`. */
function refOf(name: string, options: Options, fallback: string): ClusterRef {
  const [first = "", second, ...more] = name.split("/");
  if (more.length > 0 || first === "" || second === "") {
    throw new WrongUseError(`"${name}" names no cluster: write NAME, or NAMESPACE/NAME.`);
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
  const { timeZone, nowMs } = terminal;
  const ask: Ask = {
    kube: handle.kube,
    format: options.output ?? "text",
    here: timeZone === undefined ? { nowMs } : { nowMs, timeZone },
    paint: terminal.colour ? coloured : plain,
  };
  try {
    const answer = await verb(ask, handle.namespace);
    if (answer.exitCode === 0) {
      terminal.out(answer.output);
      if (answer.remark !== undefined) terminal.err(`${answer.remark}\n`);
    } else terminal.err(`${answer.complaint}\n`);
    return answer.exitCode;
  } finally {
    handle.close();
  }
}

function withOptions(command: Command, formats: readonly OutputFormat[]): Command {
  return command
    .option("-n, --namespace <name>", "namespace of the cluster")
    .addOption(new Option("-o, --output <format>", "for machines, or with more columns").choices(formats))
    .option("--context <name>", "context of the kubeconfig")
    .option("--kubeconfig <path>", "path of the kubeconfig file");
}

/** The exit code. Throws on a bug only. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  const program = new Command("kubectl ordinal")
    .description(
      "Looks at the databases that Ordinal manages.\nIt needs to get and list StatefulSets and Pods, and no database password.",
    )
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) });

  withOptions(program.command("status"), ["json", "yaml", "wide"])
    .description("all clusters in a table, or how one of them is")
    .argument("[name]", "StatefulSet, or NAMESPACE/NAME")
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
    .argument("<name>", "StatefulSet, or NAMESPACE/NAME")
    .action(async (name: string, options: Options) => {
      exitCode = await perform(terminal, options, (ask, namespace) =>
        why(ask, refOf(name, options, namespace)),
      );
    });

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
