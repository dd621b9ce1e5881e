/** The commands about what Ordinal's Jobs say, and about the plugin itself. */
import { Argument, type Command } from "commander";
import {
  type Ended,
  NAME,
  type Options,
  perform,
  refOf,
  type Terminal,
  withOptions,
} from "./command-line.ts";
import { candidates, completionText, SCRIPTS, SHELLS } from "./completion.ts";
import { logs } from "./logs.ts";
import { clusterVersion, versionText } from "./version.ts";

function addVersion(program: Command, terminal: Terminal, ended: Ended): void {
  withOptions(program.command("version"), [])
    .description("which version this is, which formats it knows, and what a cluster was recorded with")
    .argument("[name]", NAME)
    .action(async (name: string | undefined, options: Options) => {
      if (name === undefined) return terminal.out(versionText(terminal.version));
      ended(
        await perform(terminal, options, (ask, namespace) =>
          clusterVersion(ask, refOf(name, options, namespace), terminal.version),
        ),
      );
    });
}

function addLogs(program: Command, terminal: Terminal, ended: Ended): void {
  withOptions(program.command("logs"), [])
    .description("the log of a Job of Ordinal: of a backup, a proof or a part of a restore")
    .argument("<name>", NAME)
    .argument("[job]", "name of the Job; without it, the newest")
    .option("-f, --follow", "go on until the Job ends")
    .action(
      async (name: string, job: string | undefined, options: Options & { readonly follow?: boolean }) => {
        const { follow = false } = options;
        ended(
          await perform(terminal, options, (ask, namespace) =>
            logs(ask, refOf(name, options, namespace), job ?? null, follow),
          ),
        );
      },
    );
}

/** All StatefulSets, since some are still to be adopted. Where they cannot be listed there are none to choose from. */
async function setsOf(terminal: Terminal, options: Options): Promise<readonly string[]> {
  try {
    const { kube, namespace, close } = await terminal.connect(options);
    const listed = await kube.list("StatefulSet", { namespace: options.namespace ?? namespace });
    close();
    return listed.ok ? listed.value.map(({ name }) => name) : [];
  } catch {
    return [];
  }
}

function addCompletion(program: Command, terminal: Terminal): void {
  program
    .command("completion")
    .description("what a shell, or kubectl, needs to complete these commands")
    .addArgument(new Argument("<shell>", "for which it is").choices(SHELLS))
    .action((shell: (typeof SHELLS)[number]) => terminal.out(SCRIPTS[shell]));
  program
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .action(async (words: readonly string[]) => {
      const found = await candidates(program, words, (options) => setsOf(terminal, options));
      terminal.out(completionText(found));
    });
}

export function addAbout(program: Command, terminal: Terminal, ended: Ended): void {
  addLogs(program, terminal, ended);
  addVersion(program, terminal, ended);
  addCompletion(program, terminal);
}
