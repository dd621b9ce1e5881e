/** The commands about backups and restores. */
import { type Command, Option } from "commander";
import { quote } from "../annotations/text.ts";
import { BACKUP_METHODS, type BackupMethod, parseSlot } from "../model/backup.ts";
import { restoreRequestSchema } from "../model/request.ts";
import { namesOneTarget, type RestoreText } from "../model/restore.ts";
import { backups, backupsIn, prune } from "./backups.ts";
import {
  carryOut,
  type Ended,
  NAME,
  type Options,
  type OrderOptions,
  orderOf,
  perform,
  refOf,
  secretName,
  type Terminal,
  type Verb,
  WrongUseError,
  waitingOf,
  waits,
  withOptions,
} from "./command-line.ts";
import { afterRestore } from "./restores.ts";
import { window } from "./window.ts";

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

export function addBackups(program: Command, terminal: Terminal, ended: Ended): void {
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

  withOptions(program.command("window"), ["json", "yaml"])
    .description("to which instants a cluster can be recovered, and the gaps")
    .argument("<name>", `${NAME}; with --store also the uid of one that is gone`)
    .addOption(
      new Option("--store <secret>", "Secret of a store; without it, the cluster's").argParser(secretName),
    )
    .action(async (name: string, options: Options & { readonly store?: string }) => {
      const verb: Verb = (ask, namespace) =>
        window(ask, refOf(name, options, namespace), options.store ?? null);
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

interface RestoreOptions extends OrderOptions, Omit<RestoreText, "id"> {}

/** The id tells this wish from every other, so that the same words can be said again another day. */
function restoreWishOf({ clock }: Terminal, options: RestoreOptions) {
  const { cluster, backup, time, gtid, store, inPlace } = options;
  const text = { cluster, backup, time, gtid, store, inPlace, id: `c${clock.now().toString(36)}` };
  const wish = restoreRequestSchema.safeParse(
    Object.fromEntries(Object.entries(text).filter(([, value]) => value !== undefined)),
  );
  const wrong = wish.error?.issues[0]?.path[0];
  if (wish.success && namesOneTarget(wish.data)) return wish.data;
  throw new WrongUseError(
    wrong === "time"
      ? "Write --time with its offset, such as 2026-11-23T03:00:00+01:00."
      : wrong === undefined
        ? "Say to what: one of --backup, --time and --gtid."
        : `--${String(wrong)} cannot be understood.`,
  );
}

export function addRestore(program: Command, terminal: Terminal, ended: Ended): void {
  const restore = waits(orderOf(program, "restore", "the data of a backup, or as of a moment"), PATIENCE)
    .option("--backup <slot>", "all that this backup holds; latest for the newest")
    .option("--time <instant>", "all that was committed up to then, such as 2026-11-23T03:00:00+01:00")
    .option("--gtid <set>", "all up to the last of these transactions")
    .option("--cluster <cluster>", "whose backups: uid of a StatefulSet, or NAMESPACE/NAME")
    .addOption(
      new Option("--store <secret>", "where they are; without it, the cluster's store").argParser(secretName),
    )
    .option("--in-place", "the data that is in service may be set aside")
    .action(async (name: string, options: RestoreOptions) => {
      const { backup } = options;
      const slot = backup === undefined || backup === "latest" ? backup : slotOf(backup);
      const wish = restoreWishOf(terminal, { ...options, ...(slot !== undefined && { backup: slot }) });
      ended(await carryOut(terminal, name, options, { kind: "restore", wish }));
    });

  for (const [verb, description] of [
    ["undo", "the data from before the last restore comes back into service"],
    ["forget", "the data from before the last restore is deleted"],
  ] as const) {
    waits(
      withOptions(restore.command(verb), []).description(description).argument("<name>", NAME),
      PATIENCE,
    ).action(async (name: string, _: OrderOptions, command: Command) => {
      // What the outer command knows too is taken by it.
      const options: OrderOptions = command.optsWithGlobals();
      const waiting = waitingOf(terminal, options);
      ended(
        await perform(terminal, options, (ask, namespace) =>
          afterRestore(ask, refOf(name, options, namespace), verb, waiting),
        ),
      );
    });
  }
}
