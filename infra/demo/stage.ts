/** What all steps of the demo share: the place, who tells the tale, and how to reach its servers. */
import type { Cluster } from "../../test/support/cluster-access.ts";
import type { Address } from "../../test/support/servers.ts";
import { expectThat } from "../../test/support/wait.ts";
import { type Login, type PodSeen, readWorld, type SetRef, type World } from "../../test/support/world.ts";
import type { Tale } from "./tale.ts";

export const PLACE: SetRef = { namespace: "ordinal-demo", name: "mysql" };
/** Where the data as of another moment is looked at. */
export const RESTORED: SetRef = { namespace: "ordinal-demo-restored", name: "mysql" };
export const CLIENT_POD = "client";

export interface Stage {
  readonly cluster: Cluster;
  readonly tale: Tale;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly login: Login;
}

export function look(stage: Pick<Stage, "cluster">): Promise<World> {
  return readWorld(stage.cluster, PLACE);
}

export function addressOf({ login }: Pick<Stage, "login">, pod: PodSeen | undefined): Address {
  expectThat(typeof pod?.ip === "string", `the Pod ${pod?.name ?? "of the primary"} has no address`);
  return { ...login, host: pod?.ip ?? "" };
}

/** Each change is `KEY=VALUE`, or `KEY-` to take it away. Told as a user would type it. */
export async function annotate(
  { cluster, tale }: Pick<Stage, "cluster" | "tale">,
  changes: readonly string[],
  { namespace, name }: SetRef = PLACE,
): Promise<void> {
  const where = namespace === PLACE.namespace ? "" : `-n ${namespace} `;
  tale.say("demo", `kubectl ${where}annotate sts ${name} ${changes.join(" ")}`);
  const wish = ["annotate", "--overwrite", "statefulset", name, ...changes];
  await cluster.kubectl(["--namespace", namespace, ...wish]);
}

/** Runs a program in the client Pod, which reaches the database as an application does: by the Service's name. */
export function mysqlThrough(stage: Stage, server: string, sql: string): Promise<string> {
  const { namespace } = PLACE;
  const client = [
    "mysql",
    `--host=${server}`,
    "--user=root",
    "--connect-timeout=2",
    "--batch",
    "--skip-column-names",
  ];
  return stage.cluster.kubectl(
    ["--namespace", namespace, "exec", "--stdin", CLIENT_POD, "--", ...client],
    `${sql}\n`,
  );
}
