/**
 * A client's connection to a simulated server: the port `Server`. It is lost with the process, by KILL, by
 * its own time limits, and when it stays idle; its locks go with it, except while it waits for an
 * acknowledgement (facts L5): then they go when the wait ends. Over a way that is cut, or to a stopped process,
 * the client may be gone while its thread is still there, and what it had sent is still carried out.
 */
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { LoggedTransaction, Row, Server, Value } from "../../../shared/ports/server.ts";
import { readBinlog } from "./binlog.ts";
import { Lost, type Process, Refused, type SimServer } from "./server.ts";
import { runStatement } from "./statements/index.ts";
import type { Transaction, User } from "./volume.ts";

const STATEMENT_MS = 1;
/** lock_wait_timeout, as the adapter sets it. */
const LOCK_WAIT_MS = 2_000;
const POLL_MS = 20;

let ids = 0;

export interface SessionLimits {
  readonly queryTimeoutMs: number;
  /** The client's end of the way. */
  readonly from: string;
}

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
  /** The client's end of the way. */
  readonly from: string;
  readonly #queryTimeoutMs: number;
  readonly #lost: Promise<void>;
  #declareLost: () => void = () => {};
  /** The thread is gone. */
  #ended = false;
  /** The client is gone. */
  #left = false;
  #committing = 0;
  #forgetIdle: () => void = () => {};

  constructor(server: SimServer, account: string, { queryTimeoutMs, from }: SessionLimits) {
    ids += 1;
    this.id = ids;
    this.server = server;
    this.process = server.process;
    this.account = account;
    this.authority = server.volume.authority;
    this.from = from;
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
    if (this.#left || (this.#ended && this.#hears())) {
      return fail("transient", `the connection to ${this.server.name} is lost`);
    }
    this.#forgetIdle();
    const { clock } = this.server;
    // The client's own limit: it holds also when the thread ends and the client cannot hear of it.
    const { promise: limit, resolve } = Promise.withResolvers<undefined>();
    let late = false;
    const forgetLimit = clock.after(options.timeoutMs ?? this.#queryTimeoutMs, () => {
      late = true;
      resolve(undefined);
    });
    const answer = await Promise.race([this.#execute(sql, values), limit, this.#lost]);
    forgetLimit();
    if (late) this.#leave();
    if (answer === undefined) {
      return fail("transient", `the connection to ${this.server.name} was lost during a statement`);
    }
    this.#watchIdle();
    return answer;
  }

  #hears(): boolean {
    return this.server.network.routes.isOpen(this.server.name, this.from);
  }

  /** Resolves when it has come to the server's thread, which may be long after it was sent. */
  #arrival(): Promise<void> | null {
    const { server, from } = this;
    const { routes } = server.network;
    if (!server.stopped && routes.isOpen(from, server.name)) return null;
    return new Promise((resolve) => routes.travel(from, server.name, () => server.whenAwake(resolve)));
  }

  #return(): Promise<void> | null {
    const { server, from } = this;
    const { routes } = server.network;
    if (!server.stopped && routes.isOpen(server.name, from)) return null;
    return new Promise((resolve) => server.whenAwake(() => routes.travel(server.name, from, resolve)));
  }

  async #execute(sql: string, values: readonly Value[]): Promise<Outcome<readonly Row[]> | undefined> {
    await this.server.clock.sleep(STATEMENT_MS);
    const arrival = this.#arrival();
    if (arrival !== null) await arrival;
    // One that ends answers whoever waits in it, and takes no statement any more.
    if (this.process.ending) this.lose();
    if (this.#ended) return undefined;
    let answer: Outcome<readonly Row[]>;
    try {
      answer = succeed(await runStatement(this, sql, values));
    } catch (error) {
      if (error instanceof Lost) return undefined;
      if (!(error instanceof Refused)) throw error;
      answer = fail("refused", error.message, { code: error.code });
    }
    const back = this.#return();
    if (back !== null) await back;
    return answer;
  }

  #watchIdle(): void {
    if (this.waitTimeoutMs === null || this.#ended) return;
    this.#forgetIdle = this.server.clock.after(this.waitTimeoutMs, () =>
      this.server.whenAwake(() => this.lose()),
    );
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
      if (this.server.stopped) await new Promise<void>((resolve) => this.server.whenAwake(resolve));
      if (this.#ended) throw new Lost("the session ended");
    }
    return true;
  }

  /** A change that commits. */
  async write(effect: Parameters<SimServer["write"]>[0], mark: Transaction["mark"] = null): Promise<void> {
    if (this.server.variable("super_read_only") === "ON") throw new Refused(1290, "--super-read-only");
    this.#committing += 1;
    try {
      await this.server.write(effect, this.logs, mark);
    } finally {
      this.#committing -= 1;
      if (this.#ended) this.#unlock();
    }
  }

  /** The server's side of the connection is gone; the client learns of it if the way to it is open. */
  lose(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#forgetIdle();
    this.process.sessions.delete(this);
    if (this.#committing === 0) this.#unlock();
    if (this.#hears()) this.#declareLost();
  }

  #unlock(): void {
    for (const [name, holder] of this.process.locks) if (holder === this) this.process.locks.delete(name);
  }

  /** The client is gone. A thread that can notice it does, after what it had been sent before. */
  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#forgetIdle();
    if (this.#ended) return;
    const { server, from } = this;
    const { routes } = server.network;
    if (!server.stopped && routes.isOpen(from, server.name)) {
      this.lose();
      return;
    }
    this.#watchIdle();
    routes.travel(from, server.name, () =>
      server.whenAwake(() => void server.clock.after(NOTICE_MS, () => this.lose())),
    );
  }

  close(): Promise<void> {
    this.#leave();
    return Promise.resolve();
  }
}

/** Between what was sent and the end of the connection. */
const NOTICE_MS = 2;
