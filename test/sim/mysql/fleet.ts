/**
 * All simulated servers and the network between them: the port `Servers`. An address belongs to a pod, a name
 * to whichever pod bears it now. A connection that is cut is noticed at once; what is slow to be noticed in
 * reality is the business of the failover's own tests.
 */
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { ConnectOptions, Server, Servers } from "../../../shared/ports/server.ts";
import type { SimClock } from "../clock.ts";
import type { Network, SimServer } from "./server.ts";
import { Session } from "./session.ts";
import { offlineRefusal } from "./statements/change-of-primary.ts";

const CONNECT_MS = 1;

export interface Fleet extends Servers, Network {
  /** By the address of its pod. */
  readonly byAddress: Map<string, SimServer>;
  /** By DNS name. */
  readonly byHost: Map<string, SimServer>;
  /** `function>mysql-0`, `mysql-1>mysql-0`: ways that are cut. */
  readonly cuts: Set<string>;
  /** Cuts a way and what runs on it. */
  cut(from: string, to: string): void;
  mend(from: string, to: string): void;
  /** Opens a session as a client of the database does. */
  login(server: SimServer, account: string, password: string): Outcome<Session>;
}

export function createFleet(clock: SimClock, exited: Network["exited"]): Fleet {
  const byAddress = new Map<string, SimServer>();
  const byHost = new Map<string, SimServer>();
  const cuts = new Set<string>();

  function login(
    server: SimServer,
    account: string,
    password: string,
    queryTimeoutMs = 60_000,
  ): Outcome<Session> {
    const user = server.data.users.get(account);
    if (user?.password !== password) return fail("refused", `Access denied for ${account}`, { code: 1045 });
    if (user.locked) return fail("refused", `Account ${account} is locked`, { code: 3118 });
    const offline = offlineRefusal(server, account);
    if (offline !== null) return fail("transient", offline.message, { code: offline.code });
    return succeed(new Session(server, account, queryTimeoutMs));
  }

  async function connect(options: ConnectOptions): Promise<Outcome<Server>> {
    const server = byAddress.get(options.host);
    if (server !== undefined && cuts.has(`function>${server.name}`)) {
      await clock.sleep(options.connectTimeoutMs);
      return fail("transient", `connecting to ${options.host}: timeout`);
    }
    await clock.sleep(CONNECT_MS);
    if (server === undefined || !server.running) {
      return fail("transient", `connecting to ${options.host}: connection refused`, { closed: true });
    }
    if (options.authority !== null && options.authority !== server.volume.authority) {
      return fail(
        "refused",
        `connecting to ${options.host}: the certificate is not from the recorded authority`,
      );
    }
    const { username, password } = options.credentials;
    return login(server, username, password, options.queryTimeoutMs);
  }

  return {
    byAddress,
    byHost,
    cuts,
    connect,
    login,
    exited,
    resolve(from, host) {
      const found = byHost.get(host) ?? null;
      return found !== null && cuts.has(`${from.name}>${found.name}`) ? null : found;
    },
    cut(from, to) {
      cuts.add(`${from}>${to}`);
      const target = [...byHost.values()].find((server) => server.name === to);
      if (target === undefined || !target.running) return;
      for (const dump of [...target.process.dumps]) if (dump.replica.name === from) dump.end();
      if (from === "function") for (const session of [...target.process.sessions]) session.lose();
    },
    mend: (from, to) => void cuts.delete(`${from}>${to}`),
  };
}
