/** Offline mode: who is put out and kept out of a simulated server (facts L7). */
import type { SimServer } from "./server.ts";

function isAdministrator(server: SimServer, account: string): boolean {
  const grants = server.data.users.get(account)?.grants;
  return grants === null || grants?.has("CONNECTION_ADMIN ON *.*") === true;
}

/** Applications lose their connections at once, also those whose commit waits; so do receivers. */
export function goOffline(server: SimServer): void {
  const { sessions, dumps } = server.process;
  for (const session of [...sessions]) if (!isAdministrator(server, session.account)) session.lose();
  for (const dump of [...dumps]) if (!isAdministrator(server, dump.account)) dump.end();
}

/** Null when this account may come in. */
export function offlineRefusal(server: SimServer, account: string): { code: number; message: string } | null {
  if (server.variable("offline_mode") !== "ON" || isAdministrator(server, account)) return null;
  return { code: 3032, message: "The server is currently in offline mode" };
}
