/** The port `Examiner` over REST: three reads and a review. What it reads is small and is read once, so nothing is kept. */
import * as z from "zod/mini";
import type { ObjectRef } from "../../model/kube.ts";
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { Examiner } from "../../ports/examiner.ts";
import { type Subject, unreadable } from "./failures.ts";
import { pathOf } from "./kinds.ts";
import { reviewAccess } from "./reviews.ts";
import type { Transport } from "./transport.ts";

const texts = z.nullish(z.record(z.string(), z.string()));

const templateSchema = z.object({
  spec: z.object({
    template: z.object({
      metadata: z.nullish(z.object({ labels: texts })),
      spec: z.object({
        containers: z.array(
          z.object({
            name: z.string(),
            lifecycle: z.nullish(z.object({ preStop: z.optional(z.unknown()) })),
          }),
        ),
        affinity: z.nullish(z.object({ podAntiAffinity: z.optional(z.unknown()) })),
        topologySpreadConstraints: z.nullish(z.array(z.unknown())),
      }),
    }),
  }),
});

const serviceSchema = z.object({ spec: z.object({ clusterIP: z.optional(z.string()) }) });

const budgetsSchema = z.object({
  items: z.array(z.object({ spec: z.object({ selector: z.nullish(z.object({ matchLabels: texts })) }) })),
});

export function createExaminer(transport: Transport): Examiner {
  async function read<T>(subject: Subject, path: string, schema: z.ZodMiniType<T>): Promise<Outcome<T>> {
    const answer = await transport.send({ subject, method: "GET", path });
    if (!answer.ok) return answer;
    const parsed = schema.safeParse(answer.value);
    return parsed.success ? succeed(parsed.data) : { ok: false, failure: unreadable(subject, parsed.error) };
  }

  const object = <T>(kind: "StatefulSet" | "Service", ref: ObjectRef, schema: z.ZodMiniType<T>) =>
    read({ verb: "read", kind, ...ref }, pathOf(kind, ref), schema);

  return {
    may(account, attributes, namespace) {
      const [home = ""] = account.split(":");
      // Whoever comes with the account's token is in these groups, and a review knows only what it is told.
      const groups = ["system:serviceaccounts", `system:serviceaccounts:${home}`, "system:authenticated"];
      const user = { user: `system:serviceaccount:${account}`, groups };
      return reviewAccess(transport, user, attributes, namespace);
    },
    async template({ namespace, name }) {
      const found = await object("StatefulSet", { namespace, name }, templateSchema);
      if (!found.ok) return found;
      const { metadata, spec } = found.value.spec.template;
      const hooked = spec.containers.filter(({ lifecycle }) => lifecycle?.preStop != null);
      return succeed({
        labels: metadata?.labels ?? {},
        hooked: hooked.map((container) => container.name),
        spreads: spec.affinity?.podAntiAffinity != null || (spec.topologySpreadConstraints ?? []).length > 0,
      });
    },
    async isHeadless({ namespace, name }) {
      const found = await object("Service", { namespace, name }, serviceSchema);
      return found.ok ? succeed(found.value.spec.clusterIP === "None") : found;
    },
    async budgets(namespace) {
      const path = `/apis/policy/v1/namespaces/${encodeURIComponent(namespace)}/poddisruptionbudgets`;
      const found = await read({ verb: "list", kind: "PodDisruptionBudget", namespace }, path, budgetsSchema);
      if (!found.ok) return found;
      const selectors = found.value.items.map(({ spec }) => spec.selector ?? null);
      return succeed(selectors.filter((one) => one !== null).map(({ matchLabels }) => matchLabels ?? {}));
    },
  };
}
