/** The commands about whether Ordinal can manage a cluster, and whether it is to. */
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type Ended,
  examples,
  isName,
  NAME,
  type Options,
  perform,
  refOf,
  type Terminal,
  withOptions,
} from "./command-line.ts";
import { doctor } from "./doctor.ts";

/** `shop:ordinal`, or as Kubernetes has it: `system:serviceaccount:shop:ordinal`. */
function accountName(text: string): string {
  const account = text.replace(/^system:serviceaccount:/, "");
  const parts = account.split(":");
  if (parts.length === 2 && parts.every(isName)) return account;
  throw new InvalidArgumentError("Write NAMESPACE:NAME of a service account.");
}

function withAccount(command: Command): Command {
  return command.addOption(
    new Option(
      "--as-account <account>",
      "NAMESPACE:NAME of Ordinal's service account; without it, ordinal in the namespace of the cluster",
    ).argParser(accountName),
  );
}

interface ExamineOptions extends Options {
  readonly asAccount?: string;
}

export function addSetUp(program: Command, terminal: Terminal, ended: Ended): void {
  withAccount(withOptions(program.command("doctor"), ["json", "yaml"]))
    .description("whether all is there that Ordinal needs for a cluster, and what to do about what is not")
    .argument("<name>", NAME)
    .addHelpText("after", examples("doctor mysql", "doctor shop/mysql --as-account ordinal-system:ordinal"))
    .action(async (name: string, options: ExamineOptions) => {
      ended(
        await perform(terminal, options, (ask, namespace) =>
          doctor(ask, terminal.clock, refOf(name, options, namespace), options.asAccount ?? null),
        ),
      );
    });
}
