/** The commands about whether Ordinal can manage a cluster, and whether it is to. */
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type Ended,
  isName,
  NAME,
  noFormat,
  type Options,
  type OrderOptions,
  orderOf,
  perform,
  refOf,
  secretName,
  type Terminal,
  WrongUseError,
  waitingOf,
  waits,
  withOptions,
} from "./command-line.ts";
import { doctor } from "./doctor.ts";
import { PRE_STOP } from "./pre-stop.ts";
import { adopt, approve, release } from "./set-up.ts";

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

function addDoctor(program: Command, terminal: Terminal, ended: Ended): void {
  withAccount(withOptions(program.command("doctor"), ["json", "yaml"]))
    .description("whether all is there that Ordinal needs for a cluster, and what to do about what is not")
    .argument("<name>", NAME)
    .action(async (name: string, options: ExamineOptions) => {
      ended(
        await perform(terminal, options, (ask, namespace) =>
          doctor(ask, terminal.clock, refOf(name, options, namespace), options.asAccount ?? null),
        ),
      );
    });
}

interface AdoptOptions extends OrderOptions, ExamineOptions {
  readonly credentials?: string;
  readonly printHook?: boolean;
}

function addAdopt(program: Command, terminal: Terminal, ended: Ended): void {
  withAccount(waits(orderOf(program, "adopt", "Ordinal manages this StatefulSet from now on, if it can")))
    .addOption(new Option("--credentials <secret>", "Secret with the password of root").argParser(secretName))
    .addOption(new Option("--print-hook", "print the preStop hook for its pod template, and do nothing"))
    .action(async (name: string, options: AdoptOptions) => {
      const { credentials, asAccount: account = null, dryRun = false, printHook = false } = options;
      if (printHook) return terminal.out(PRE_STOP);
      noFormat(options);
      if (credentials === undefined) {
        throw new WrongUseError("Name the Secret of its root password: --credentials SECRET.");
      }
      const adoption = { credentials, account, dryRun, waiting: waitingOf(terminal, options) };
      ended(
        await perform(terminal, options, (ask, namespace) =>
          adopt(ask, terminal.clock, refOf(name, options, namespace), adoption),
        ),
      );
    });
}

function addRelease(program: Command, terminal: Terminal, ended: Ended): void {
  waits(orderOf(program, "release", "Ordinal lets go of the cluster, and forgets it"))
    .option("-y, --yes", "do not ask")
    .action(async (name: string, options: OrderOptions & { readonly yes?: boolean }) => {
      noFormat(options);
      const { dryRun = false, yes = false } = options;
      const confirm = yes ? async () => true : (terminal.confirm ?? null);
      const waiting = waitingOf(terminal, options);
      ended(
        await perform(terminal, options, (ask, namespace) =>
          release(ask, terminal.clock, refOf(name, options, namespace), { dryRun, waiting, confirm }),
        ),
      );
    });
}

function addApprove(program: Command, terminal: Terminal, ended: Ended): void {
  waits(orderOf(program, "approve", "a failover that waits for a person goes on")).action(
    async (name: string, options: OrderOptions) => {
      noFormat(options);
      const { dryRun = false } = options;
      const waiting = waitingOf(terminal, options);
      ended(
        await perform(terminal, options, (ask, namespace) =>
          approve(ask, terminal.clock, refOf(name, options, namespace), { dryRun, waiting }),
        ),
      );
    },
  );
}

export function addSetUp(program: Command, terminal: Terminal, ended: Ended): void {
  addDoctor(program, terminal, ended);
  addAdopt(program, terminal, ended);
  addRelease(program, terminal, ended);
  addApprove(program, terminal, ended);
}
