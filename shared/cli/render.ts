/**
 * What `status` and `why` print for people, from the same documents that `-o json` prints. Pure. A cluster's
 * first line says whether it is fine, then what is wrong and what is being done, then what one can do.
 */
import type { Cluster, ClusterBackups, ClusterMember, History } from "../model/documents.ts";
import { awayFrom, type Here, lag, localTime, NONE, since } from "../model/format.ts";
import { howFar } from "../model/progress.ts";
import { adviceOf, headline, type Tone, untoldProblems, wordsOf } from "../model/summary.ts";
import { worksOf } from "../model/under-way.ts";
import { type Cell, type Paint, table } from "./table.ts";

const cells = (...texts: readonly string[]): readonly Cell[] => texts.map((text) => ({ text }));

export interface Look {
  readonly here: Here;
  readonly paint: Paint;
  readonly wide: boolean;
}

/** When the last backup was made and the last was proven; how many have failed since. */
function backupCells(backups: ClusterBackups | null, here: Here): readonly Cell[] {
  if (backups === null) return cells(NONE, NONE);
  const { last, proven, failures, unproven } = backups;
  const lost = failures === 0 ? "" : ` (${failures} failed since)`;
  const made = last === null ? NONE : awayFrom(last.endedAt, here);
  const shown = proven === null ? NONE : awayFrom(proven.at, here);
  return [
    { text: `${made}${lost}`, ...(failures > 0 && { tone: "bad" as const }) },
    unproven === null ? { text: shown } : { text: `${shown} (failed since)`, tone: "bad" },
  ];
}

export function renderFleet(clusters: readonly Cluster[], { here, paint, wide }: Look): string {
  const titles = ["NAMESPACE", "NAME", "STATE", "PRIMARY", "READY", "LAG", "EPOCH", "LAST BACKUP", "PROVEN"];
  const rows = clusters.map((cluster) => [
    ...cells(cluster.namespace, cluster.name),
    { text: cluster.phase, tone: wordsOf(cluster).tone },
    ...cells(cluster.primary ?? NONE, `${cluster.readyPods}/${cluster.replicas}`),
    ...cells(lag(cluster.lagMs), cluster.epoch === null ? NONE : String(cluster.epoch)),
    ...backupCells(cluster.backups, here),
    ...(wide
      ? cells(acknowledgements(cluster), cluster.problems.map(({ code }) => code).join(",") || NONE)
      : []),
  ]);
  return table(wide ? [...titles, "ACKS", "PROBLEMS"] : titles, rows, paint);
}

/** `1 of 2`: each write waits for one of two replicas. */
function acknowledgements({ ackCount, ackers }: Cluster): string {
  return ackCount === null ? NONE : `${ackCount} of ${ackers.length}`;
}

function troubles(cluster: Cluster, here: Here): readonly string[] {
  const told = untoldProblems(cluster).map(({ code, message, since: at }) => {
    const duration = at === null ? "" : ` (for ${since(at, here)})`;
    return `${code}${duration}: ${message}`;
  });
  return [...told, ...worksOf(cluster, here).map(({ text }) => text)];
}

/** A schedule counts from the pass that sees it first. */
function next({ nextSlot, schedule }: ClusterBackups, here: Here): string {
  if (schedule === null) return "none is scheduled";
  return nextSlot === null
    ? "the next is not known yet"
    : `the next is of ${nextSlot} (${awayFrom(nextSlot, here)})`;
}

function failure({ at, reason, job }: NonNullable<ClusterBackups["failed"]>, here: Here): string {
  return `failed ${awayFrom(at, here)}: ${reason}. For an hour from then on Job ${job} has a log.`;
}

/** Nothing where there are no backups and none are asked for. */
function backupLines({ backups }: Cluster, here: Here): readonly string[] {
  if (backups === null) return [];
  const { last, proven, failures, missed, failed, unproven } = backups;
  const lost = [
    ...(failures > 0 ? [`${failures} failed since`] : []),
    ...(missed > 0 ? [`${missed} missed since`] : []),
  ];
  const facts = [
    last === null
      ? "there is none yet"
      : `the last is of ${last.slot} (${awayFrom(last.slot, here)}, ${last.method})`,
    ...lost,
    proven === null
      ? "none is proven"
      : `the last proven is of ${proven.slot} (proven ${awayFrom(proven.at, here)})`,
    next(backups, here),
  ];
  const reasons = [
    ...(failed === null ? [] : [`The backup of ${failed.slot} ${failure(failed, here)}`]),
    ...(unproven === null ? [] : [`The proof of ${unproven.slot} ${failure(unproven, here)}`]),
  ];
  return [`Backups: ${facts.join(", ")}.`, ...reasons];
}

/** Nothing once nothing of it is left to decide. */
function restoreLines({ restores, name, namespace }: Cluster): readonly string[] {
  if (restores === null || restores.kept === null || restores.running !== null) return [];
  const { id, until } = restores.kept;
  const command = `kubectl ordinal restore undo ${name} -n ${namespace}`;
  return [
    `The data from before restore ${id} is kept until ${until.slice(0, 10)}: \`${command}\` brings it back.`,
  ];
}

function advice(cluster: Cluster, hasHistory: boolean): string {
  const where = `${cluster.name} -n ${cluster.namespace}`;
  const evidence = hasHistory ? ` \`kubectl ordinal why ${where}\` shows what was decided and why.` : "";
  return `${adviceOf(cluster) ?? "nothing is needed."}${evidence}`;
}

function noteOf({ note, copied }: ClusterMember): string {
  return copied === null ? note : `${note}, ${howFar(copied)}`;
}

function memberRow(member: ClusterMember, wide: boolean, here: Here): readonly Cell[] {
  const acks = member.acks === null ? NONE : member.acks ? "yes" : "no";
  const tone: Tone = member.pod === "Ready" ? "good" : "bad";
  return [
    ...cells(member.name, member.role ?? NONE),
    { text: member.pod, tone },
    // Positions are known to the servers only, and looking needs no password.
    ...cells(member.version ?? NONE, NONE, NONE, lag(member.lagMs), acks),
    ...(wide
      ? cells(member.serverUuid ?? NONE, member.seenAt === null ? NONE : since(member.seenAt, here))
      : []),
    ...cells(noteOf(member)),
  ];
}

export function renderCluster(cluster: Cluster, hasHistory: boolean, { here, paint, wide }: Look): string {
  const more = wide ? ["SERVER UUID", "UNCHANGED FOR"] : [];
  const titles = [
    "INSTANCE",
    "ROLE",
    "POD",
    "SERVER",
    "EXECUTED",
    "RECEIVED",
    "LAG",
    "ACKS",
    ...more,
    "NOTE",
  ];
  const rows = cluster.members.map((member) => memberRow(member, wide, here));
  const lines = [
    paint(headline(cluster), wordsOf(cluster).tone),
    ...[...troubles(cluster, here), ...backupLines(cluster, here), ...restoreLines(cluster)].map(
      (line) => `  ${line}`,
    ),
    `  What you can do: ${advice(cluster, hasHistory)}`,
  ];
  return `${lines.join("\n")}\n\n${table(titles, rows, paint)}`;
}

/** Newest last, as a log is read. */
export function renderHistory({ namespace, name, entries }: History, here: Here): string {
  if (entries.length === 0) return `Nothing has been decided about ${namespace}/${name} yet.\n`;
  const heads = entries.map(({ reason, epoch }, index) => {
    const before = entries[index - 1]?.epoch ?? epoch;
    return `${reason} (epoch ${before === epoch ? epoch : `${before} → ${epoch}`})`;
  });
  const times = entries.map(({ at }) => localTime(at, here));
  const [timeWidth, headWidth] = [times, heads].map((texts) => Math.max(...texts.map((text) => text.length)));
  const lines = entries.flatMap(({ why, considered }, index) => {
    const time = (times[index] ?? "").padEnd(timeWidth ?? 0);
    const head = (heads[index] ?? "").padEnd(headWidth ?? 0);
    const rest = considered.length === 0 ? [] : [`considered: ${considered.join(" · ")}`];
    return [
      `${time}  ${head}  ${why}`.trimEnd(),
      ...rest.map((line) => `${" ".repeat(time.length)}  ${line}`),
    ];
  });
  return `${lines.join("\n")}\n`;
}
