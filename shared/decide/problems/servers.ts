/**
 * Problems that the servers themselves show before any of them has a place: a wrong password, another
 * engine, an old version, members that do not answer.
 */
import type { Problem } from "../../model/condition.ts";
import type { EngineRules } from "../../model/engine.ts";
import type { Member } from "../../model/observed.ts";
import { silence } from "../situation.ts";

/** Servers that can never be managed as they are. They block adoption whoever they are. */
export function serverProblems(members: readonly Member[], rules: EngineRules): readonly Problem[] {
  return members.flatMap((member): readonly Problem[] => {
    const { server, podName, ordinal } = member;
    if (server.kind === "denied") {
      const message = `${podName} refuses account ${server.account} (${server.reason}); put the right password into the Secret.`;
      return [{ code: "CredentialsRejected", message, ordinal, blocks: true }];
    }
    if (server.kind !== "read") return [];
    const unsupported = rules.unsupported(server.facts);
    return unsupported === null
      ? []
      : [{ ...unsupported, message: `${podName}: ${unsupported.message}`, ordinal, blocks: true }];
  });
}

/** Adoption must see every member once: what it has not seen might hold the only data. */
export function waitingForMembers(members: readonly Member[]): readonly Problem[] {
  const silent = members.filter(
    (member) => member.server.kind === "absent" || member.server.kind === "unreachable",
  );
  if (silent.length === 0) return [];
  const names = silent.map((member) => `${member.podName}: ${silence(member)}`).join("; ");
  const message = `${members.length - silent.length} of ${members.length} members answer; waiting for ${names}.`;
  return [{ code: "WaitingForMembers", message, blocks: true }];
}
