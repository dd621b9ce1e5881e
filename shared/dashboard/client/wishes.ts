/**
 * The dialog behind each button: it shows the very steps that would be taken, as a dry run gives them, and only then has a
 * button that asks for them.
 */
import type { Plan, PlannedStep } from "../../model/plan.ts";
import { askFor, askPlan, type Ref, type Wish } from "./api.ts";
import { type Child, draw, h, type Tree } from "./dom.ts";
import { mark } from "./words.ts";

export type Wished =
  | { readonly kind: "switchover"; readonly others: readonly string[] }
  | { readonly kind: "backup" }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "approve"; readonly epoch: number };

interface Words {
  readonly title: string;
  /** What it means, in a sentence. */
  readonly means: string;
  readonly confirm: string;
}

function wordsOf(wished: Wished, name: string, choice: string): Words {
  switch (wished.kind) {
    case "switchover":
      return {
        title: `Switch over ${name}`,
        means:
          "The primary hands over; writes wait for as long as it takes. Nothing that was acknowledged is lost.",
        confirm: `Switch over to ${choice}`,
      };
    case "backup":
      return {
        title: `Back up ${name} now`,
        means: "One replica is copied into the store.",
        confirm: "Back up now",
      };
    case "pause":
      return {
        title: `Pause ${name}`,
        means:
          "Ordinal looks and changes nothing until it is resumed: there are no failovers and no backups. The database goes on.",
        confirm: "Pause",
      };
    case "resume":
      return { title: `Resume ${name}`, means: "Ordinal goes on with what is due.", confirm: "Resume" };
    case "approve":
      return {
        title: `Approve the failover of ${name}`,
        means: `The primary is given up, and another member takes its place in epoch ${wished.epoch}.`,
        confirm: `Fail over into epoch ${wished.epoch}`,
      };
  }
}

interface Choices {
  readonly label: string;
  readonly values: readonly (readonly [value: string, text: string])[];
}

function choicesOf(wished: Wished): Choices | null {
  if (wished.kind === "switchover") {
    return { label: "New primary", values: wished.others.map((name) => [name, name]) };
  }
  if (wished.kind !== "backup") return null;
  return {
    label: "Method",
    values: [
      ["", "as it is set"],
      ["physical", "physical"],
      ["logical", "logical"],
    ],
  };
}

function wishOf(wished: Wished, choice: string): Wish {
  switch (wished.kind) {
    case "switchover":
      return { route: "switchover", body: { to: choice } };
    case "backup":
      return { route: "backup", body: choice === "" ? {} : { method: choice } };
    case "approve":
      return { route: "approve", body: { epoch: wished.epoch } };
    default:
      return { route: wished.kind, body: {} };
  }
}

function changeText({ verb, object, fields }: PlannedStep["changes"][number]): string {
  const names = Object.keys(fields).map((path) => path.replace(/^metadata\.(?:annotations|labels)\./, ""));
  return `${verb} ${object}${names.length === 0 ? "" : `: ${names.join(", ")}`}`;
}

function stepItem({ what, where, statements, changes, hindered }: PlannedStep): Tree {
  const lines = [...statements.map(({ server, sql }) => `${server}: ${sql};`), ...changes.map(changeText)];
  return h("li", {}, [
    what,
    h("span", { class: "faint" }, [where.length === 0 ? "" : ` (${where.join(", ")})`]),
    hindered === null ? null : h("strong", { class: "bad" }, [` ✖ ${hindered}`]),
    lines.length === 0
      ? null
      : h("pre", { tabindex: 0, "aria-label": `Statements of: ${what}` }, [lines.join("\n")]),
  ]);
}

function planTree({ stages, complete }: Plan): readonly Child[] {
  const steps = stages.reduce((sum, stage) => sum + stage.steps.length, 0);
  if (steps === 0) return [h("p", {}, ["No step follows from it at once."])];
  return [
    ...stages.flatMap(({ why, steps: list }) => [h("h3", {}, [why]), h("ol", {}, list.map(stepItem))]),
    complete ? null : h("p", {}, ["What follows is decided then."]),
  ];
}

type Stage =
  | { readonly kind: "looking" }
  | { readonly kind: "shown"; readonly plan: Plan }
  | { readonly kind: "asking"; readonly plan: Plan }
  | { readonly kind: "refused"; readonly detail: string };

export interface Dialog {
  readonly element: HTMLDialogElement;
  /** What was said once it was asked for; the page looks again. */
  readonly onAsked: (said: string) => void;
}

export function openWish({ element, onAsked }: Dialog, ref: Ref, wished: Wished): void {
  const choices = choicesOf(wished);
  // The same press is the same wish, however often it has to be sent.
  const key = crypto.randomUUID();
  let choice = choices?.values[0]?.[0] ?? "";
  let stage: Stage = { kind: "looking" };
  let look = 0;

  function show(next: Stage): void {
    stage = next;
    render();
  }

  async function lookAhead(): Promise<void> {
    look += 1;
    const mine = look;
    show({ kind: "looking" });
    const answer = await askPlan(ref, wishOf(wished, choice));
    if (mine !== look || !element.open) return;
    if (answer.kind === "refusal") show({ kind: "refused", detail: answer.detail });
    else if (answer.kind === "value") show({ kind: "shown", plan: answer.value.plan });
  }

  async function confirm(): Promise<void> {
    if (stage.kind !== "shown") return;
    show({ kind: "asking", plan: stage.plan });
    const answer = await askFor(ref, wishOf(wished, choice), `${key}-${choice}`);
    if (answer.kind === "refusal") return show({ kind: "refused", detail: answer.detail });
    element.close();
    onAsked(`${wordsOf(wished, ref.name, choice).confirm}: asked for.`);
  }

  function select({ label, values }: Choices): Tree {
    const options = values.map(([value, text]) => h("option", { value, selected: value === choice }, [text]));
    const changed = ({ target }: Event): void => {
      if (!(target instanceof HTMLSelectElement)) return;
      choice = target.value;
      void lookAhead();
    };
    return h("p", {}, [
      h("label", { for: "choice" }, [`${label} `]),
      h("select", { id: "choice" }, options, { on: { change: changed } }),
    ]);
  }

  function stepsOf(): readonly Child[] {
    switch (stage.kind) {
      case "looking":
        return [
          h("p", {}, [
            h("progress", { "aria-label": "looking" }),
            " Looking at the servers to say what would be done.",
          ]),
        ];
      case "refused":
        return [h("p", { class: "stale" }, [mark("bad"), ` ${stage.detail}`])];
      default:
        return [h("h3", {}, ["The exact steps"]), ...planTree(stage.plan)];
    }
  }

  function render(): void {
    const { title, means, confirm: text } = wordsOf(wished, ref.name, choice);
    const canAsk = stage.kind === "shown";
    draw(element, [
      h("h2", { id: "dialog-title" }, [title]),
      h("p", {}, [means]),
      choices === null ? null : select(choices),
      h(
        "div",
        { class: "steps", "aria-live": "polite", "aria-busy": stage.kind === "looking" ? "true" : "false" },
        stepsOf(),
      ),
      h("p", { class: "actions" }, [
        h("button", { type: "button", class: "first", "aria-disabled": canAsk ? "false" : "true" }, [text], {
          on: { click: () => void (canAsk && confirm()) },
        }),
        h("button", { type: "button" }, ["Cancel"], { on: { click: () => element.close() } }),
      ]),
    ]);
  }

  render();
  element.showModal();
  void lookAhead();
}
