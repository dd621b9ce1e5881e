/** The commands about what Ordinal's Jobs say, and about the plugin itself. */
import type { Command } from "commander";
import {
  type Ended,
  examples,
  NAME,
  type Options,
  perform,
  refOf,
  type Terminal,
  withOptions,
} from "./command-line.ts";
import { logs } from "./logs.ts";
import { clusterVersion, versionText } from "./version.ts";

function addVersion(program: Command, terminal: Terminal, ended: Ended): void {
  withOptions(program.command("version"), [])
    .description("which version this is, which formats it knows, and what a cluster was recorded with")
    .argument("[name]", NAME)
    .addHelpText("after", examples("version", "version mysql"))
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
    .addHelpText("after", examples("logs mysql --follow", "logs mysql mysql-backup-20261123020000-1"))
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

export function addAbout(program: Command, terminal: Terminal, ended: Ended): void {
  addLogs(program, terminal, ended);
  addVersion(program, terminal, ended);
}
