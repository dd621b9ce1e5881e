/**
 * A client's connection to a simulated server: the port `Server`. It is lost with the process, by KILL, by
 * its own time limits, and when it stays idle; its locks go with it, except while it waits for an
 * acknowledgement (facts L5): then they go when the wait ends.
 */
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { LoggedTransaction, Row, Server, Value } from "../../../shared/ports/server.ts";
import { readBinlog } from "./binlog.ts";
import { Lost, type Process, Refused, type SimServer } from "./server.ts";
import { runStatement } from "./statements/index.ts";
import type { User } from "./volume.ts";

const STATEMENT_MS = 1;
/** lock_wait_timeout, as the adapter sets it. */
const LOCK_WAIT_MS = 2_000;
const POLL_MS = 20;

let ids = 0;

export class Session implements Server {
  readonly id: number;
  readonly server: SimServer;
  readonly process: Process;
  readonly account: string;
  readonly authority: string;
  readonly lockWaitMs = LOCK_WAIT_MS;
  waitTimeoutMs: number | null = null;
  /** False: what this session writes is not logged. */
  logs = true;
  readonly #queryTimeoutMs: number;
  readonly #lost: Promise<void>;
  #declareLost: () => void = () => {};
  #ended = false;
  #committing = 0;
  #forgetIdle: () => void = () => {};

  constructor(server: SimServer, account: string, queryTimeoutMs: number) {
    ids += 1;
    this.id = ids;
    this.server = server;
    this.process = server.process;
    this.account = account;
    this.authority = server.volume.authority;
    this.#queryTimeoutMs = queryTimeoutMs;
    this.#lost = new Promise((resolve) => {
      this.#declareLost = resolve;
    });
    this.process.sessions.add(this);
  }

  get ended(): boolean {
    return this.#ended;
  }

  get user(): User {
    const user = this.server.data.users.get(this.account);
    if (user === undefined) throw new Refused(1045, "the account was dropped");
    return user;
  }

  /** By the name of a privilege, for the object it must be held on. */
  need(privilege: string, on = "*.*", code = 1227): void {
    const { grants } = this.user;
    if (grants === null || grants.has(`${privilege} ON ${on}`) || grants.has(`${privilege} ON *.*`)) return;
    throw new Refused(code, `${this.account} lacks ${privilege} on ${on}`);
  }

  async query(
    sql: string,
    values: readonly Value[] = [],
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Outcome<readonly Row[]>> {
    if (this.#ended) return fail("transient", `the connection to ${this.server.name} is lost`);
    this.#forgetIdle();
    const { clock } = this.server;
    let late = false;
    const limit = new Promise<void>((resolve) => {
      const cancel = clock.after(options.timeoutMs ?? this.#queryTimeoutMs, () => {
        late = true;
        resolve();
      });
      void this.#lost.then(cancel);
      this.#forgetIdle = cancel;
    });
    const answer = await Promise.race([this.#execute(sql, values), limit, this.#lost]);
    this.#forgetIdle();
    if (late) this.lose();
    if (answer === undefined) {
      return fail("transient", `the connection to ${this.server.name} was lost during a statement`);
    }
    this.#watchIdle();
    return answer;
  }

  async #execute(sql: string, values: readonly Value[]): Promise<Outcome<readonly Row[]> | undefined> {
    await this.server.clock.sleep(STATEMENT_MS);
    if (this.#ended) return undefined;
    try {
      return succeed(await runStatement(this, sql, values));
    } catch (error) {
      if (error instanceof Refused) return fail("refused", error.message, { code: error.code });
      if (error instanceof Lost) return undefined;
      throw error;
    }
  }

  #watchIdle(): void {
    if (this.waitTimeoutMs === null || this.#ended) return;
    this.#forgetIdle = this.server.clock.after(this.waitTimeoutMs, () => this.lose());
  }

  /** The connection of its own is not modelled: it lives and dies with this one. */
  async readLog(
    except: string,
    limits: { readonly bytesMax: number; readonly timeoutMs: number },
  ): Promise<Outcome<readonly LoggedTransaction[]>> {
    await this.server.clock.sleep(STATEMENT_MS);
    if (this.#ended) return fail("transient", `the connection to ${this.server.name} is lost`);
    try {
      this.need("REPLICATION SLAVE");
      return readBinlog(this.server, except, limits.bytesMax);
    } catch (error) {
      if (error instanceof Refused) return fail("refused", error.message, { code: error.code });
      throw error;
    }
  }

  /** Waits until the condition holds; false when the time is up first. Ends with the session. */
  async until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    const untilMs = this.server.clock.now() + timeoutMs;
    while (!condition()) {
      const left = untilMs - this.server.clock.now();
      if (left <= 0) return false;
      await this.server.clock.sleep(Math.min(POLL_MS, left));
      if (this.#ended) throw new Lost("the session ended");
    }
    return true;
  }

  /** A change that commits. */
  async write(effect: Parameters<SimServer["write"]>[0]): Promise<void> {
    if (this.server.variable("super_read_only") === "ON") throw new Refused(1290, "--super-read-only");
    this.#committing += 1;
    try {
      await this.server.write(effect, this.logs);
    } finally {
      this.#committing -= 1;
      if (this.#ended) this.#unlock();
    }
  }

  /** The server's side of the connection is gone. */
  lose(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#forgetIdle();
    this.process.sessions.delete(this);
    if (this.#committing === 0) this.#unlock();
    this.#declareLost();
  }

  #unlock(): void {
    for (const [name, holder] of this.process.locks) if (holder === this) this.process.locks.delete(name);
  }

  close(): Promise<void> {
    this.lose();
    return Promise.resolve();
  }
}
