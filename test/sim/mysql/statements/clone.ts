/** CLONE INSTANCE: everything of the donor but what belongs to the recipient's volume, then a restart (L10). */

import { Gtids } from "../gtids.ts";
import { offlineRefusal } from "../offline.ts";
import { cannotSend, dropRelayLog } from "../replication.ts";
import { Refused, type SimServer } from "../server.ts";
import type { Session } from "../session.ts";
import { copyData } from "../volume.ts";
import type { Statement } from "./statement.ts";

function donorRefuses(donor: SimServer | null, account: string, password: string): string | null {
  if (donor === null || !donor.running) return "Connect failed: Error: 2003: Can't connect";
  const user = donor.data.users.get(account);
  if (user?.password !== password) return "Connect failed: Error: 1045: Access denied";
  if (user.locked) return "Connect failed: Error: 3118: Account is locked";
  const offline = offlineRefusal(donor, account);
  if (offline !== null) return `Connect failed: Error: ${offline.code}: ${offline.message}`;
  if (user.grants !== null && !user.grants.has("BACKUP_ADMIN ON *.*")) return "Error: 1227: BACKUP_ADMIN";
  if (!donor.data.plugins.has("clone")) return "Error: 1524: Plugin 'clone' is not loaded";
  if (donor.process.donating) return "Error: 3634: Too many concurrent clone operations";
  return null;
}

async function clone(session: Session, account: string, host: string, password: string): Promise<void> {
  session.need("CLONE_ADMIN");
  const { server } = session;
  const recipient = session.process;
  const donor = server.network.resolve(server, host);
  const { volume } = server;
  if (!(server.variable("clone_valid_donor_list") ?? "").split(",").includes(`${host}:3306`)) {
    throw new Refused(3869, `The clone donor value '${host}:3306' is not valid`);
  }
  if (volume.clone?.state === "In Progress") throw new Refused(3634, "Too many concurrent clone operations");
  const refusal = donorRefuses(donor, account, password);
  if (refusal !== null || donor === null) {
    volume.clone = { state: "Failed", error: `Clone Donor Error: ${refusal} (3862)` };
    throw new Refused(3862, `Clone Donor Error: ${refusal}`);
  }
  const giving = donor.process;
  giving.donating = true;
  volume.clone = { state: "In Progress", error: "" };
  await server.clock.sleep(server.cloneMs);
  giving.donating = false;
  if (!server.running || server.process !== recipient) return;
  if (!donor.running || donor.process !== giving) {
    volume.clone = { state: "Failed", error: "Clone Donor Error: 2013 : Lost connection (3862)" };
    throw new Refused(3862, "Clone Donor Error: Error: 2013: Lost connection");
  }
  server.network.witness.discarding(server, "data", donor);
  // Its logs are gone before it ends, so whoever receives from it cannot go on (measured).
  for (const dump of [...recipient.dumps]) dump.end(cannotSend("could not find next log"));
  dropRelayLog(server, donor);
  if (server.cloneFailures > 0) {
    server.cloneFailures -= 1;
    const nothing = { executed: new Gtids(), purged: new Gtids(), binlog: [], firstPlace: 0, filePlace: 0 };
    volume.data = { ...volume.data, ...nothing };
    volume.clone = { state: "Failed", error: "Recovery failed. Please Retry Clone. (3862)" };
  } else {
    volume.data = copyData(donor.data);
    volume.clone = { state: "Completed", error: "" };
  }
  server.clock.after(5, () => {
    if (server.running && server.process === recipient) server.stop(0);
  });
  throw new Refused(3707, "Restart server failed (mysqld is not managed by supervisor process)");
}

export const CLONE_STATEMENTS: readonly Statement[] = [
  {
    pattern: /^CLONE INSTANCE FROM '([^']+)'@'([^']+)':3306 IDENTIFIED BY '([^']+)' REQUIRE SSL$/,
    run: (session, [, account = "", host = "", password = ""]) => clone(session, account, host, password),
  },
];
