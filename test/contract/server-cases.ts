/**
 * The contract of a database server, as a story that each case goes on with: every verb of the engine with the
 * outcome that can be seen, and what the server itself refuses, keeps and forgets. The simulated server is held
 * to it by the real one; where they differ, the model is wrong.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mysql } from "../../shared/engines/mysql/index.ts";
import type { DesiredMember } from "../../shared/model/engine.ts";
import type { ServerFacts } from "../../shared/model/server.ts";
import type { Peer } from "../../shared/ports/engine.ts";
import type { Server } from "../../shared/ports/server.ts";
import { acknowledgementCases } from "./server-ack-cases.ts";
import { changeOfPrimaryCases } from "./server-change-cases.ts";
import { processCases } from "./server-process-cases.ts";
import { replicationCases } from "./server-replication-cases.ts";
import { accounts, got, refusal, type ServerSubject } from "./server-subject.ts";
import { tailCases } from "./server-tail-cases.ts";

export class Story {
  subject!: ServerSubject;

  async on<T>(ordinal: number, work: (server: Server) => Promise<T>): Promise<T> {
    const server = await this.subject.connect(ordinal);
    try {
      return await work(server);
    } finally {
      await server.close();
    }
  }

  /** With the rights that the verbs have in reality. */
  async asControl<T>(ordinal: number, work: (server: Server) => Promise<T>): Promise<T> {
    const server = await this.subject.connect(ordinal, accounts.control);
    try {
      return await work(server);
    } finally {
      await server.close();
    }
  }

  /** Those of members 1 and 2. */
  async startReceivers(): Promise<void> {
    for (const ordinal of [1, 2]) {
      await this.on(ordinal, async (server) => got(await server.query("START REPLICA IO_THREAD")));
    }
  }

  facts(ordinal: number): Promise<ServerFacts> {
    return this.on(ordinal, async (server) => got(await mysql.observe(server, { survey: true })));
  }

  /** Looks again until it holds, for at most a minute, also at a server that ends while it is looked at. */
  async until(ordinal: number, holds: (facts: ServerFacts) => boolean): Promise<ServerFacts> {
    let seen = "nothing";
    for (let look = 0; look < 240; look += 1) {
      const facts = await this.on(ordinal, (server) => mysql.observe(server, { survey: true }));
      if (!facts.ok && facts.failure.kind !== "transient") return got(facts);
      if (facts.ok && holds(facts.value)) return facts.value;
      seen = JSON.stringify(facts);
      await this.subject.sleep(250);
    }
    throw new Error(`it never came: ${seen}`);
  }

  peer(of: number, as: number): Peer {
    return { host: this.subject.host(of), port: 3306, account: accounts.replication(as) };
  }

  /** A copy may fail at the start after it, and is then made again, as the brain would have it. */
  async seed(ordinal: number, donor: number): Promise<ServerFacts> {
    for (let attempt = 1; ; attempt += 1) {
      got(await this.on(ordinal, (server) => mysql.seed(server, this.peer(donor, ordinal), 60_000, null)));
      const facts = await this.until(ordinal, ({ seeding }) => /done|failed/.test(seeding.kind));
      if (facts.seeding.kind === "done") return facts;
      expect(mysql.rules.initialOnly(facts)).toBe(true);
      if (attempt === 3) throw new Error(facts.seeding.error ?? "");
    }
  }

  prepare(ordinal: number, role: DesiredMember["role"], resumes = false): Promise<void> {
    const taken = [0, 1, 2].filter((other) => other < ordinal).map((other) => String(100 + other));
    const want = {
      ordinal,
      role,
      ackCount: 1,
      resumes,
      ordinals: [0, 1, 2],
      deletesLogs: null,
      takenNumbers: ["1", ...taken],
    };
    return this.on(ordinal, async (server) => {
      const facts = got(await mysql.observe(server, { survey: true }));
      for (const preparation of mysql.rules.preparations(facts, want)) {
        got(await mysql.prepare(server, preparation, accounts));
      }
    });
  }
}

function settingCases(story: Story, run: Run): void {
  run("a fresh server takes writes, follows nobody and holds what its image wrote", async () => {
    const facts = await story.facts(1);
    expect(facts).toMatchObject({ readOnly: false, channel: null, followers: 0, terms: [], flavor: "MySQL" });
    expect(mysql.rules.unsupported(facts)).toBeNull();
    expect(mysql.rules.initialOnly(facts)).toBe(true);
    expect(mysql.rules.initialOnly(await story.facts(0))).toBe(false);
  });

  run("read_only and super_read_only pull each other as documented", async () => {
    await story.on(1, async (server) => {
      const both = async (): Promise<string> => {
        const sql = "SELECT @@GLOBAL.read_only AS a, @@GLOBAL.super_read_only AS b";
        const [row] = got(await server.query(sql));
        return `${row?.["a"]}${row?.["b"]}`;
      };
      got(await server.query("SET GLOBAL super_read_only = ON"));
      expect(await both()).toBe("11");
      got(await server.query("SET GLOBAL super_read_only = OFF"));
      expect(await both()).toBe("10");
      got(await server.query("SET GLOBAL super_read_only = ON"));
      got(await server.query("SET GLOBAL read_only = OFF"));
      expect(await both()).toBe("00");
    });
  });

  run("what a server refuses, with its numbers", async () => {
    await story.on(1, async (server) => {
      expect(await refusal(server.query("SET GLOBAL rpl_semi_sync_source_enabled = ON"))).toBe(1193);
      expect(await refusal(server.query("SET PERSIST skip_replica_start = ON"))).toBe(1238);
      expect(await refusal(server.query("START REPLICA"))).toBe(1200);
      got(await server.query("SET GLOBAL super_read_only = ON"));
      expect(await refusal(server.query("INSTALL PLUGIN clone SONAME 'mysql_clone.so'"))).toBe(1290);
      got(await server.query("SET GLOBAL read_only = OFF"));
    });
  });

  run(
    "a lock has one holder, can be given back, goes with its session, and with one that stays idle",
    async () => {
      const [first, second] = [await story.subject.connect(1), await story.subject.connect(1)];
      expect(got(await mysql.lock(first, "ordinal:a", 200))).toBeNull();
      expect(await mysql.lock(second, "ordinal:a", 200)).toMatchObject({ failure: { kind: "conflict" } });
      got(await mysql.unlock(first));
      expect(got(await mysql.lock(second, "ordinal:a", 200))).toBeNull();
      got(await mysql.unlock(second));
      expect(got(await mysql.lock(first, "ordinal:a", 200))).toBeNull();
      await first.close();
      expect(got(await mysql.lock(second, "ordinal:a", 2_000))).toBeNull();
      got(await second.query("SET SESSION wait_timeout = 1"));
      await story.subject.sleep(2_500);
      await story.on(1, async (third) => expect(got(await mysql.lock(third, "ordinal:a", 200))).toBeNull());
      expect(await second.query("SELECT VERSION() AS version")).toMatchObject({
        failure: { kind: "transient" },
      });
      await second.close();
    },
  );

  run("prepared, nothing is missing, also not after a restart, which is closed and quiet", async () => {
    for (const ordinal of [0, 1, 2]) await story.prepare(ordinal, ordinal === 0 ? "primary" : "unseeded");
    const before = await story.facts(0);
    expect(before.readOnly).toBe(false);
    await story.subject.restart(0);
    const after = await story.until(0, (facts) => facts.startedAtMs > before.startedAtMs);
    expect(after).toMatchObject({ readOnly: true, acks: { required: false } });
    const want = {
      ordinal: 0,
      role: "primary",
      ackCount: 1,
      resumes: false,
      ordinals: [0, 1, 2],
      deletesLogs: null,
      takenNumbers: [],
    } as const;
    expect(mysql.rules.preparations(after, want)).toEqual([]);
    await story.on(0, async (server) => got(await server.query("SET GLOBAL read_only = OFF")));
  });
}

export type Run = (name: string, work: () => Promise<void>) => void;

/** In this order, since each goes on where the one before it has ended. */
export const CHAPTERS: readonly (readonly [string, (story: Story, run: Run) => void])[] = [
  ["settings", settingCases],
  ["replication", replicationCases],
  ["acknowledgements", acknowledgementCases],
  ["errant tails", tailCases],
  ["change of primary", changeOfPrimaryCases],
  ["signals", processCases],
];

export function serverContract(open: () => Promise<ServerSubject>): void {
  const story = new Story();
  beforeAll(async () => {
    story.subject = await open();
  });
  afterAll(() => story.subject?.close());
  const run: Run = (name, work) => test(name, () => story.subject.run(work));
  for (const [title, cases] of CHAPTERS) describe(title, () => cases(story, run));
}
