/**
 * All simulated servers and the network between them: the port `Servers`. An address belongs to a pod, a name
 * to whichever pod bears it now. A way that is cut, and a server that is stopped, are silent: nobody is told,
 * and whoever waits finds out by its own limits.
 */
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { ConnectOptions, Server, Servers } from "../../../shared/ports/server.ts";
import type { SimClock } from "../clock.ts";
import { offlineRefusal } from "./offline.ts";
import { createRoutes, type Routes } from "./routes.ts";
import type { Network, SimServer, Witness } from "./server.ts";
import { Session } from "./session.ts";

const CONNECT_MS = 1;

export interface Fleet extends Servers, Network {
  /** By the address of its pod. */
  readonly byAddress: Map<string, SimServer>;
  /** By DNS name. */
  readonly byHost: Map<string, SimServer>;
  readonly routes: Routes;
  /** Cuts a way: `function`, `client` and the names of servers are its ends. */
  cut(from: string, to: string): void;
  mend(from: string, to: string): void;
  /** A connection as a client of the database opens it; null when nobody answers. */
  login(server: SimServer, account: string, password: string): Outcome<Session>;
  readonly witness: Witness;
}

export function createFleet(clock: SimClock, exited: Network["exited"]): Fleet {
  const byAddress = new Map<string, SimServer>();
  const byHost = new Map<string, SimServer>();
  const routes = createRoutes(clock);
  const witness: Witness = { committed() {}, discarding() {} };

  function admit(
    server: SimServer,
    account: string,
    password: string,
    limits: { readonly queryTimeoutMs: number; readonly from: string },
  ): Outcome<Session> {
    const user = server.data.users.get(account);
    if (user?.password !== password) return fail("refused", `Access denied for ${account}`, { code: 1045 });
    if (user.locked) return fail("refused", `Account ${account} is locked`, { code: 3118 });
    const offline = offlineRefusal(server, account);
    if (offline !== null) return fail("transient", offline.message, { code: offline.code });
    return succeed(new Session(server, account, limits));
  }

  async function connect(options: ConnectOptions): Promise<Outcome<Server>> {
    const server = byAddress.get(options.host);
    if (server !== undefined && !routes.isWhole("function", server.name)) {
      await clock.sleep(options.connectTimeoutMs);
      return fail("transient", `connecting to ${options.host}: timeout`);
    }
    await clock.sleep(CONNECT_MS);
    if (server === undefined || !server.running || server.process.ending) {
      return fail("transient", `connecting to ${options.host}: connection refused`, { closed: true });
    }
    if (server.stopped) {
      // The kernel takes the connection, and nobody greets.
      await clock.sleep(options.connectTimeoutMs);
      return fail("transient", `connecting to ${options.host}: timeout`);
    }
    if (options.authority !== null && options.authority !== server.volume.authority) {
      return fail(
        "refused",
        `connecting to ${options.host}: the certificate is not from the recorded authority`,
      );
    }
    const { username, password } = options.credentials;
    return admit(server, username, password, { queryTimeoutMs: options.queryTimeoutMs, from: "function" });
  }

  /** Replicas that hear nothing for their own limit take the connection for dead. */
  function expectSilence(server: SimServer): void {
    for (const other of byHost.values()) {
      if (!other.running) continue;
      for (const dump of other.process.dumps) {
        if (other === server || dump.replica === server) dump.fallSilent();
      }
    }
  }

  return {
    byAddress,
    byHost,
    routes,
    witness,
    connect,
    login: (server, account, password) =>
      admit(server, account, password, { queryTimeoutMs: 60_000, from: "client" }),
    exited,
    resolve(from, host) {
      const found = byHost.get(host) ?? null;
      if (found === null || !routes.isWhole(from.name, found.name)) return null;
      return found.running && found.stopped ? null : found;
    },
    isSilent(from, host) {
      const found = byHost.get(host);
      if (found === undefined) return false;
      return !routes.isWhole(from.name, found.name) || (found.running && found.stopped);
    },
    silent: expectSilence,
    cut(from, to) {
      routes.cut(from, to);
      for (const server of byHost.values()) if (server.name === from) expectSilence(server);
    },
    mend: routes.mend,
  };
}
