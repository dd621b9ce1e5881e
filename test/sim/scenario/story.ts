/**
 * A run as a timeline for people: simulated time, who, what. One line for each fault, record, effect and
 * end of a pass; what only says the same again is left out.
 */
import type { State } from "../../../shared/model/state.ts";
import { part } from "../kube/store.ts";
import type { Hosts } from "./hosts.ts";
import type { Stage } from "./stage.ts";

/** Who is told of what happens. */
export interface Teller {
  tell(nowMs: number, who: string, what: string): void;
}

function configText(config: State["established"]): string {
  if (config === null) return "nobody";
  const ackers = config.ackers.map(({ ordinal }) => ordinal).sort();
  return `${config.primary.ordinal} with ${config.ackCount} of [${ackers.join(" ")}]`;
}

/** The recorded state in one line. */
export function stateText(text: unknown): string {
  if (typeof text !== "string") return "nothing is recorded";
  try {
    const { epoch, phase, established, pending, op, seq, unproven } = JSON.parse(text) as State;
    const next = pending === null ? "" : `, next ${configText(pending)}${pending.open ? ", open" : ""}`;
    const doing = op === null ? "" : ` (${op.kind}: ${op.step})`;
    const doubt = unproven.length === 0 ? "" : `, unproven ${unproven.join(" ")}`;
    return `epoch ${epoch} ${phase}${doing}: ${configText(established)}${next}${doubt} #${seq}`;
  } catch {
    return `records ${text.slice(0, 80)}`;
  }
}

/** Tells everything that happens from now on. */
export function narrate(stage: Stage, hosts: Hosts, teller: Teller): void {
  const { world } = stage;
  const tell = (who: string, what: string): void => teller.tell(world.clock.now(), who, what);
  const said = new Map<string, string>();
  stage.onStory((what) => tell("WORLD", what));
  hosts.onPass((who, message) => {
    const host = who.split(".")[0] ?? who;
    if (said.get(host) === message) return;
    said.set(host, message);
    tell(who, message);
  });
  world.sim.onChange(({ kind, ref, before, after }) => {
    if (after === null) return;
    if (kind === "Event") return tell("event", `${String(after["reason"])}: ${String(after["note"])}`);
    if (kind === "Service") {
      const selector = JSON.stringify(part(part(after, "spec"), "selector"));
      return tell("route", `${ref.name} ${selector}`);
    }
    if (kind !== "StatefulSet") return;
    const text = (json: typeof after): unknown =>
      part(part(json, "metadata"), "annotations")["ordinal.dev/state"];
    if (text(after) !== text(before ?? {})) tell("RECORD", stateText(text(after)));
  });
  world.onEffect = (instance, effect) => tell(instance, effect);
}
