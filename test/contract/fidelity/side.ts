/**
 * One of the two fleets under comparison: carries an operation out, keeps what its clients are answered, and
 * tells the state of all its servers in words that are the same on both sides. Identities become names, and
 * transactions are counted from where the comparison began.
 */
import { mysql } from "../../../shared/engines/mysql/index.ts";
import type { Outcome } from "../../../shared/model/outcome.ts";
import type { Position, ServerFacts } from "../../../shared/model/server.ts";
import type { Server } from "../../../shared/ports/server.ts";
import { Story } from "../server-cases.ts";
import { APP, got, type ServerSubject, TABLE } from "../server-subject.ts";
import { MEMBERS, type Operation, type Seen } from "./operations.ts";

const ORDINALS = Array.from({ length: MEMBERS }, (_, ordinal) => ordinal);
/** Longer than any comparison. */
const FOR_EVER_MS = 4 * 3_600_000;
const COPY_MS = 60_000;
/** Longer than a server needs to end in good order and to start again, also on a busy machine. */
const GRACE_MS = 60_000;
const LOOK_AGAIN_MS = 250;

/** By what it is about, in the order of the servers. */
export type State = Readonly<Record<string, string>>;

export class Side {
  readonly subject: ServerSubject;
  readonly #story = new Story();
  readonly #frozen = new Set<number>();
  readonly #answers = new Map<string, string>();
  /** By server uuid: its name, and its newest transaction when the comparison began. */
  readonly #origins = new Map<string, { readonly name: string; readonly base: bigint }>();

  constructor(subject: ServerSubject) {
    this.subject = subject;
    this.#story.subject = subject;
  }

  /** One primary that requires one acknowledgement, and two replicas that acknowledge. */
  begin(): Promise<void> {
    return this.subject.run(async () => {
      const story = this.#story;
      for (const ordinal of ORDINALS) await story.prepare(ordinal, ordinal === 0 ? "primary" : "unseeded");
      for (const ordinal of [1, 2]) {
        await story.seed(ordinal, 0);
        await story.prepare(ordinal, "replica");
        await story.on(ordinal, (server) => all(server, ["SET GLOBAL rpl_semi_sync_replica_enabled = ON"]));
        await story.on(ordinal, (server) => this.#repoint(server, 0, "full"));
      }
      await story.until(0, ({ acks }) => acks.clients === 2);
      const { executed } = await story.facts(0);
      for (const ordinal of [1, 2]) await story.until(ordinal, (facts) => facts.executed === executed);
      got(await story.on(0, (server) => mysql.arm(server, 1)));
      for (const ordinal of ORDINALS) {
        const { serverUuid } = await story.facts(ordinal);
        const numbers = [...executed.matchAll(new RegExp(`${serverUuid}:(?:\\d+-)?(\\d+)`, "g"))];
        const base = BigInt(numbers.at(-1)?.[1] ?? 0);
        this.#origins.set(serverUuid, { name: "abc"[ordinal] ?? "", base });
      }
    });
  }

  /** What the servers answered to it. */
  carryOut(operation: Operation): Promise<string> {
    return this.subject.run(async () => {
      if (operation.kind === "signal") return this.#signal(operation.on, operation.signal);
      if (operation.kind === "write") return this.#write(operation.on, operation.value);
      if (operation.kind === "copy") return this.#copy(operation.on, operation.to);
      return told(await this.#story.on(operation.on, (server) => this.#ask(server, operation)));
    });
  }

  async #signal(on: number, signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<string> {
    const before = signal === "SIGKILL" || signal === "SIGTERM" ? await this.#story.facts(on) : null;
    await this.subject.signal(on, signal);
    if (signal === "SIGSTOP") this.#frozen.add(on);
    if (signal === "SIGCONT") this.#frozen.delete(on);
    if (before === null) return "sent";
    if (await this.#startsAnew(on, before)) return "sent";
    await this.subject.signal(on, "SIGKILL");
    if (!(await this.#startsAnew(on, before))) throw new Error(`server ${on} does not come back`);
    return "had to be killed";
  }

  /** Within the grace; meanwhile the server answers nobody, or only at first. */
  async #startsAnew(on: number, before: ServerFacts): Promise<boolean> {
    for (let leftMs = GRACE_MS; leftMs > 0; leftMs -= LOOK_AGAIN_MS) {
      const server = await this.subject.tryConnect(on, this.subject.root);
      const facts = server.ok ? await mysql.observe(server.value, { survey: true }) : server;
      if (server.ok) await server.value.close();
      if (facts.ok && facts.value.startedAtMs > before.startedAtMs) return true;
      await this.subject.sleep(LOOK_AGAIN_MS);
    }
    return false;
  }

  /** The answer may come much later, or never. */
  async #write(on: number, value: string): Promise<string> {
    const client = await this.subject.tryConnect(on, APP);
    if (!client.ok) return `not let in: ${client.failure.code ?? client.failure.kind}`;
    this.#answers.set(value, "none yet");
    void client.value
      .query(`INSERT INTO ${TABLE} VALUES (?)`, [value], { timeoutMs: FOR_EVER_MS })
      .then((answer) => this.#answers.set(value, told(answer)))
      .finally(() => void client.value.close());
    return "sent";
  }

  async #copy(on: number, to: number): Promise<string> {
    const story = this.#story;
    const before = await story.facts(on);
    const peer = story.peer(to, on);
    const done = await story.on(on, (server) => mysql.seed(server, peer, COPY_MS, before.executed));
    if (done.ok && !(await this.#startsAnew(on, before))) return "copied, and does not come back";
    return told(done);
  }

  async #repoint(server: Server, to: number, how: "receiver" | "full"): Promise<Outcome<unknown>> {
    const { host, port, account } = this.#story.peer(to, to);
    const receiver = `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${host}', SOURCE_PORT = ${port},
      SOURCE_USER = '${account.username}', SOURCE_PASSWORD = '${account.password}', SOURCE_SSL = 1,
      SOURCE_HEARTBEAT_PERIOD = 0.5, SOURCE_CONNECT_RETRY = 2, SOURCE_RETRY_COUNT = 0`;
    if (how === "receiver") {
      return all(server, ["STOP REPLICA IO_THREAD", receiver, "START REPLICA IO_THREAD"]);
    }
    const facts = got(await mysql.observe(server, { survey: false }));
    return all(server, [
      ...(facts.channel === null ? [] : ["STOP REPLICA"]),
      `${receiver}, SOURCE_AUTO_POSITION = 1`,
      "START REPLICA",
    ]);
  }

  #ask(
    server: Server,
    operation: Exclude<Operation, { kind: "signal" | "write" | "copy" }>,
  ): Promise<Outcome<unknown>> {
    switch (operation.kind) {
      case "threads":
        return all(server, [`${operation.verb} REPLICA ${operation.thread}`]);
      case "repoint":
        return this.#repoint(server, operation.to, operation.how);
      case "forget-source":
        return all(server, ["STOP REPLICA", "RESET REPLICA ALL"]);
      case "acknowledge":
        return all(server, [`SET GLOBAL rpl_semi_sync_replica_enabled = ${operation.value}`]);
      case "require":
        return all(server, [`SET GLOBAL rpl_semi_sync_source_enabled = ${operation.value}`]);
      case "count":
        return all(server, [`SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = ${operation.count}`]);
      case "close":
        return all(server, ["SET GLOBAL super_read_only = ON"]);
      case "open":
        return all(server, ["SET GLOBAL read_only = OFF"]);
      case "flush":
        return all(server, ["FLUSH BINARY LOGS"]);
      case "offline":
        return all(server, [`SET GLOBAL offline_mode = ${operation.value}`]);
      case "start-by-itself":
        return all(server, [
          `SET PERSIST_ONLY skip_replica_start = ${operation.value === "ON" ? "OFF" : "ON"}`,
        ]);
    }
  }

  /** Null for a server that stands still. */
  async #facts(): Promise<readonly (ServerFacts | null)[]> {
    return Promise.all(
      ORDINALS.map(async (ordinal) => (this.#frozen.has(ordinal) ? null : await this.#story.facts(ordinal))),
    );
  }

  look(): Promise<{ readonly state: State; readonly seen: readonly Seen[] }> {
    return this.subject.run(async () => {
      const facts = await this.#facts();
      const state: Record<string, string> = {};
      for (const [ordinal, one] of facts.entries()) {
        const name = "abc"[ordinal] ?? "";
        if (one !== null) Object.assign(state, this.#describe(name, one, await this.#values(ordinal)));
      }
      for (const [value, answer] of this.#answers) state[`answer ${value}`] = answer;
      const seen = facts.map(
        (one): Seen => ({
          frozen: one === null,
          waiters: one?.acks.waiters ?? 0,
          receives: one?.channel != null && one.channel.receiver !== "off",
          channel: one?.channel != null,
          unmet: one?.channel != null && one.channel.sourceUuid === null,
          readOnly: one?.readOnly === true,
        }),
      );
      return { state, seen };
    });
  }

  async #values(ordinal: number): Promise<string> {
    const values = await this.subject.values(ordinal);
    const numbers = values.filter((value) => /^v\d+$/.test(value)).map((value) => Number(value.slice(1)));
    return numbers.sort((a, b) => a - b).join(" ");
  }

  #describe(name: string, facts: ServerFacts, values: string): State {
    const { acks, channel } = facts;
    const word = (value: unknown): string => String(value);
    const source = this.#origins.get(channel?.sourceUuid ?? "")?.name ?? "nobody";
    return {
      [`${name} executed`]: this.#count(facts.executed),
      [`${name} received`]: this.#count(facts.received),
      [`${name} purged`]: this.#count(facts.purged),
      [`${name} rows`]: values,
      [`${name} closed`]: word(facts.readOnly),
      [`${name} offline`]: word(facts.offline),
      [`${name} followers`]: word(facts.followers),
      [`${name} requires`]: `${acks.required} ${acks.count}`,
      [`${name} clients`]: word(acks.clients),
      [`${name} waiters`]: word(acks.waiters),
      [`${name} acknowledges`]: `${acks.given} ${acks.active}`,
      [`${name} channel`]:
        channel === null
          ? "none"
          : `receiver ${channel.receiver}, applier ${channel.applier}, last ${source} (${channel.sourceLeft})`,
      [`${name} error`]: `${troubleOf(channel?.receiverError)} ${channel?.applierError != null}`,
    };
  }

  /** `a:0-3`: everything from before and three more. */
  #count(position: Position): string {
    return position
      .split(",")
      .filter((part) => part.trim() !== "")
      .map((part) => {
        const [uuid = "", ...intervals] = part.trim().split(":");
        const { name, base } = this.#origins.get(uuid) ?? { name: uuid, base: 0n };
        const since = (number: string): bigint => (BigInt(number) > base ? BigInt(number) - base : 0n);
        const counted = intervals.map((interval) => {
          const [first = "0", last = first] = interval.split("-");
          return since(first) === since(last) ? `${since(last)}` : `${since(first)}-${since(last)}`;
        });
        return `${name}:${counted.join(":")}`;
      })
      .sort()
      .join(" ");
  }
}

/** A source that is not there is met in several ways, which depend on how soon it is asked. */
function troubleOf(error: string | null | undefined): string {
  if (error == null) return "none";
  const number = Number(/\((\d+)\)$/.exec(error)?.[1]);
  return number >= 2_000 && number < 3_000 ? "unreachable" : String(number);
}

function told(outcome: Outcome<unknown>): string {
  if (outcome.ok) return "OK";
  const { kind, code } = outcome.failure;
  // How a connection was lost is told in several ways.
  return kind === "refused" || code === 1205 ? String(code) : kind;
}

async function all(server: Server, statements: readonly string[]): Promise<Outcome<unknown>> {
  for (const statement of statements) {
    const done = await server.query(statement);
    if (!done.ok) return done;
  }
  return { ok: true, value: null };
}
