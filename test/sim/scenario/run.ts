/**
 * Runs one scenario: an established cluster, its clients and hosts, the planned faults, then everything heals;
 * from then on the cluster has a bounded time to be as it should, and after that nothing may be written.
 * The world is inspected after every step of it.
 */
import { Violation } from "../invariants.ts";
import { part } from "../kube/store.ts";
import type { SimServer } from "../mysql/server.ts";
import { type Build, createWorld, type World } from "../world.ts";
import { beginningOf, WISH } from "./beginnings.ts";
import { type Answers, type Client, routed, startClient } from "./clients.ts";
import { type Hosts, startHosts } from "./hosts.ts";
import type { Fault, Moment, Scenario } from "./model.ts";
import { createStage, type Stage } from "./stage.ts";
import { narrate, type Teller } from "./story.ts";
import {
  brokenPromises,
  divided,
  parkedMembers,
  picture,
  primaryOf,
  quorumLost,
  unsettled,
} from "./verdict.ts";

export interface Outcome {
  /** What was wrong; null = nothing. */
  readonly violation: string | null;
  /** Why a person has to decide, by the world's own facts; null when nobody has to. */
  readonly awaitsPerson: string | null;
  readonly acknowledged: number;
  readonly epochs: number;
  /** Simulated milliseconds from the end of the faults until all was in place. */
  readonly convergedMs: number | null;
}

export interface RunOptions {
  readonly teller?: Teller;
  /** Instead of the shipped one. */
  readonly build?: Build;
}

const CONVERGE_MS = 120_000;
const QUIET_MS = 600_000;
const QUIET_LOOKS = 6;
/** A resident host looks at a settled cluster every ten seconds. */
const SETTLE_MS = 15_000;
const PROBE_MS = 15_000;
/** A server that was told to end may still be there for a moment. */
const STAYS_MS = 3_000;
const NOBODY: ReadonlySet<SimServer> = new Set();

interface Play {
  readonly scenario: Scenario;
  readonly world: World;
  readonly stage: Stage;
  readonly hosts: Hosts;
  readonly answers: Answers;
  readonly clients: Client[];
}

async function setUp(scenario: Scenario, { build, teller }: RunOptions): Promise<Play> {
  const beginning = await beginningOf(scenario);
  const world = createWorld({
    seed: scenario.seed,
    members: Array.from({ length: scenario.members }, () => ({})),
    annotations: { ...WISH, "ordinal.dev/on-restart": scenario.onRestart },
    beginning,
    ...(build && { build }),
  });
  const stage = createStage(world, scenario);
  const hosts = startHosts(stage, scenario.seed, scenario.hosts);
  const answers: Answers = { acknowledged: new Set(), refused: new Set(), unknown: new Set() };
  const clients: Client[] = [];
  const first = primaryOf(stage);
  for (let number = 0; number < scenario.clients + (scenario.sticky ? 1 : 0); number += 1) {
    const sticky = number === scenario.clients;
    clients.push(
      startClient(world, answers, {
        name: sticky ? "sticky" : `client-${number}`,
        seed: scenario.seed * 31 + number,
        server: sticky ? () => first : () => routed(world),
        ...(teller && {
          onAnswer: (row, answer, server) =>
            answer.ok || teller.tell(world.clock.now(), row, `${answer.failure.kind} from ${server.name}`),
        }),
      }),
    );
  }
  if (teller) narrate(stage, hosts, teller);
  return { scenario, world, stage, hosts, answers, clients };
}

/** Faults at instants by the clock, faults by phase when the recorded state comes into it. */
function plan({ scenario, world, stage }: Play): void {
  const endMs = world.clock.now() + scenario.endMs;
  const applyAfter = (ms: number, fault: Fault): void => {
    world.clock.after(ms, () => {
      // From the end on nothing new goes wrong.
      if (world.clock.now() < endMs) stage.apply(fault);
    });
  };
  const waiting = scenario.faults
    .filter(({ moment }) => "phase" in moment)
    .map((one) => ({ ...one, done: false }));
  for (const { moment, fault } of scenario.faults) {
    if ("atMs" in moment) applyAfter(moment.atMs, fault);
  }
  let last = "";
  world.sim.onChange(({ kind, after }) => {
    if (kind !== "StatefulSet" || after === null || world.clock.now() > endMs) return;
    const text = String(part(part(after, "metadata"), "annotations")["ordinal.dev/state"] ?? "");
    if (text === last) return;
    last = text;
    for (const one of waiting) {
      if (one.done || !isIn(text, one.moment)) continue;
      one.done = true;
      applyAfter("phase" in one.moment ? one.moment.plusMs : 0, one.fault);
    }
  });
}

function isIn(state: string, moment: Moment): boolean {
  if (!("phase" in moment)) return false;
  if (moment.phase === "Opened") return state.includes('"open":true');
  return state.includes(`"phase":"${moment.phase}"`);
}

/** Null when it is settled, and stays so for a moment; else what is still missing after all the time that it may take. */
async function converge({ world, stage, hosts }: Play): Promise<{ late: string | null; tookMs: number }> {
  let beganMs = world.clock.now();
  let settledAtMs: number | null = null;
  for (;;) {
    const missing = unsettled(stage, NOBODY);
    const nowMs = world.clock.now();
    if (hosts.frozen()) beganMs = nowMs;
    const tookMs = nowMs - beganMs;
    settledAtMs = missing === null ? (settledAtMs ?? nowMs) : null;
    if (settledAtMs !== null && nowMs - settledAtMs >= STAYS_MS)
      return { late: null, tookMs: settledAtMs - beganMs };
    // What a person has to look at is looked for only now: it may have been put right without one.
    if (missing !== null && tookMs > CONVERGE_MS)
      return { late: unsettled(stage, parkedMembers(stage)), tookMs };
    await world.clock.sleep(tookMs < 5_000 ? 500 : 2_000);
  }
}

/** A new client's first write, as soon as anybody could expect it to be taken. */
async function probe({ world, answers, scenario }: Play): Promise<boolean> {
  const before = answers.acknowledged.size;
  const client = startClient(world, answers, {
    name: "probe",
    seed: scenario.seed + 7,
    server: () => routed(world),
  });
  const untilMs = world.clock.now() + PROBE_MS;
  while (answers.acknowledged.size === before && world.clock.now() < untilMs) await world.clock.sleep(100);
  client.stop();
  await client.ended;
  return answers.acknowledged.size > before;
}

/** Once all is in place nothing is written, however often it is looked at. */
async function disquiet({ world, hosts }: Play): Promise<string | null> {
  // What had begun before the end was seen may still be told, labelled and put right at the next look; and one that
  // was frozen with its lock in its hand does what it was about to do.
  const settleMs = Math.max(SETTLE_MS, hosts.frozenUntilMs - world.clock.now() + SETTLE_MS);
  hosts.sweepEvery(SETTLE_MS / 3);
  await world.clock.sleep(settleMs);
  hosts.sweepEvery(QUIET_MS / QUIET_LOOKS);
  const written = hosts.watch();
  await world.clock.sleep(QUIET_MS);
  const told = written().filter((text) => !text.startsWith("create Event"));
  return told.length === 0
    ? null
    : `${told.length} writes although all is in place: ${told.slice(0, 3).join("; ")}`;
}

async function judged(play: Play): Promise<Outcome> {
  const { world, stage, scenario, clients, answers, hosts } = play;
  plan(play);
  await world.clock.sleep(scenario.endMs);
  stage.heal();
  for (const client of clients) client.stop();
  const { late, tookMs } = await converge(play);
  const said = (violation: string | null, awaitsPerson: string | null): Outcome => ({
    violation: violation === null ? null : `${violation} [${picture(stage)}]`,
    awaitsPerson,
    acknowledged: answers.acknowledged.size,
    epochs: Math.max(...stage.inspector.facts.terms.keys()),
    convergedMs: late === null ? tookMs : null,
  });
  const [bug] = hosts.errors;
  if (bug !== undefined)
    return said(`thrown: ${bug instanceof Error ? (bug.stack ?? bug.message) : String(bug)}`, null);
  const parked = parkedMembers(stage);
  const gap =
    parked.size > 0
      ? "a server that ended in good order holds transactions alone"
      : (quorumLost(stage) ?? divided(stage));
  if (late !== null)
    return said(gap === null ? `not in place after ${CONVERGE_MS / 1000} s: ${late}` : null, gap);
  await Promise.all(clients.map(({ ended }) => ended));
  const writable = (await probe(play)) || gap !== null;
  if (!writable) return said("nobody can write although all is in place", gap);
  await world.clock.sleep(2_000);
  return said(brokenPromises(stage, answers, parkedMembers(stage)) ?? (await disquiet(play)), gap);
}

export async function runScenario(scenario: Scenario, options: RunOptions = {}): Promise<Outcome> {
  const play = await setUp(scenario, options);
  const { world, hosts, answers, stage } = play;
  world.clock.afterEach(() => world.inspector());
  try {
    return await world.clock.run(judged(play));
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    const epochs = Math.max(...stage.inspector.facts.terms.keys());
    const violation = `${error.message} [${picture(stage)}]`;
    return {
      violation,
      awaitsPerson: null,
      acknowledged: answers.acknowledged.size,
      epochs,
      convergedMs: null,
    };
  } finally {
    hosts.stop();
  }
}
