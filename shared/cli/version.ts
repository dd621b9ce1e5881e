/** `version`: what this program is and which formats it knows, and what a cluster was recorded with. */
import { ANNOTATION } from "../annotations/keys.ts";
import { decodeState } from "../annotations/state.ts";
import { CHAIN_VERSION } from "../backup/archive/chain.ts";
import { MANIFEST_VERSION } from "../backup/manifest.ts";
import { BACKUPS_VERSION } from "../model/backup.ts";
import type { ClusterRef } from "../model/cluster.ts";
import { API_VERSION } from "../model/documents.ts";
import { NONE } from "../model/format.ts";
import type { StatefulSet } from "../model/kube.ts";
import { RESTORE_VERSION } from "../model/restore.ts";
import { STATE_VERSION } from "../model/state.ts";
import { readCluster } from "./read.ts";
import { type Answer, type Ask, failed, notACluster } from "./verbs.ts";

export function versionText(version: string): string {
  return (
    `kubectl-ordinal ${version}, on Node ${process.versions.node}\n` +
    `documents: ${API_VERSION}; annotations: state ${STATE_VERSION}, backups ${BACKUPS_VERSION}, restore ${RESTORE_VERSION}; ` +
    `stores: manifest ${MANIFEST_VERSION}, archive ${CHAIN_VERSION}\n`
  );
}

function recordedFormat({ annotations, uid }: StatefulSet): string {
  const read = decodeState(annotations[ANNOTATION.state], uid);
  if (read.kind === "newer") return `${read.version}, by a newer Ordinal than this`;
  return read.kind === "valid" ? String(STATE_VERSION) : NONE;
}

/** Of the servers, as the last pass saw them. */
export async function clusterVersion(ask: Ask, ref: ClusterRef, version: string): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const { set, cluster } = found.value;
  const servers = cluster.members.map(({ name, version: of }) => `${name} ${of ?? NONE}`).join(", ");
  const recorded = `${ref.namespace}/${ref.name}: state ${recordedFormat(set)}; servers: ${servers}\n`;
  return { exitCode: 0, output: versionText(version) + recorded };
}
