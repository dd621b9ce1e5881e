/**
 * The front of HTTP and its server as they are shipped, on a simulated API server, for a browser: people are told by the name in
 * their token, and plans come from a list.
 */
import { createFront } from "../../../shared/hosts/http/front.ts";
import { createGuard } from "../../../shared/hosts/http/guard.ts";
import { startHttpServer } from "../../../shared/hosts/local/http-server.ts";
import { type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Plan, Preview } from "../../../shared/model/plan.ts";
import type { ObjectStore } from "../../../shared/ports/object-store.ts";
import type { Reviewer, User } from "../../../shared/ports/reviewer.ts";
import { createSimKube, type SimKube } from "../../sim/kube/api-server.ts";
import { EVENT_FUNCTIONS, REQUEST_FUNCTIONS } from "../../unit/hosts/functions.ts";

/** Where Debian puts it. */
export const CHROMIUM = "/usr/bin/chromium";

const RIGHTS: Readonly<Record<string, readonly string[]>> = {
  admin: ["get", "list", "update", "patch"],
  reader: ["get", "list"],
  stranger: [],
};

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** As an API server makes them, but for the signature. */
export function tokenFor(name: keyof typeof RIGHTS & string, lifetimeSeconds = 3_600): string {
  const iat = Math.floor(Date.now() / 1000);
  const sub = `system:serviceaccount:shop:${name}`;
  return `${encoded({ alg: "none" })}.${encoded({ sub, iat, exp: iat + lifetimeSeconds })}.c2lnbmVk`;
}

/** What a switchover is, in the statements that it is made of. */
const SWITCHOVER: Plan = {
  stages: [
    {
      why: "orders-1 hands over to orders-0 in epoch 8, as asked.",
      steps: [
        {
          ...{
            what: "recording what was decided",
            where: ["StatefulSet/orders"],
            statements: [],
            hindered: null,
          },
          changes: [
            {
              ...{ verb: "patch", object: "StatefulSet/orders" },
              fields: {
                "metadata.annotations.ordinal.dev/phase": "SwitchingOver",
                "metadata.annotations.ordinal.dev/switchover-to": null,
              },
            },
          ],
        },
        {
          ...{ what: "ending writes on member 1", where: ["orders-1"], changes: [], hindered: null },
          statements: [
            { server: "orders-1", sql: "SET PERSIST_ONLY super_read_only = ON" },
            { server: "orders-1", sql: "SET GLOBAL super_read_only = ON" },
          ],
        },
        {
          ...{ what: "promoting member 0", where: ["orders-0"], changes: [], hindered: null },
          statements: [{ server: "orders-0", sql: "STOP REPLICA; RESET REPLICA ALL" }],
        },
      ],
    },
  ],
  complete: false,
};

const isAllowed = (user: User, verb: string): boolean =>
  RIGHTS[user.name.split(":").at(-1) ?? ""]?.includes(verb) ?? false;

const reviewer: Reviewer = {
  authenticate: (token) => {
    const [, payload = ""] = /^[\w-]+\.([\w-]+)\.c2lnbmVk$/.exec(token) ?? [];
    const text = Buffer.from(payload, "base64url").toString("utf8") || "{}";
    const { sub = "" } = JSON.parse(text) as { readonly sub?: string };
    const user: User = { name: sub, uid: "u", groups: [], extra: {} };
    return Promise.resolve(succeed(sub.startsWith("system:serviceaccount:") ? user : null));
  },
  authorise: (user, { verb }) => Promise.resolve(succeed(isAllowed(user, verb))),
};

export interface DashboardPlace {
  readonly sim: SimKube;
  /** Without a slash at its end. */
  readonly url: string;
  /** What a look foresees next. */
  preview: Outcome<Preview>;
  close(): Promise<void>;
}

export interface Fixture {
  readonly fill: (sim: SimKube, nowMs: number) => Promise<ObjectStore | null>;
}

export async function openDashboard({ fill }: Fixture): Promise<DashboardPlace> {
  const clock = {
    now: () => Date.now(),
    sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)),
  };
  const sim = createSimKube(clock);
  const store = await fill(sim, clock.now());
  const log = { info: () => undefined, warn: () => undefined };
  const front = createFront({
    ...{ kube: sim.kube, namespaces: [], guard: createGuard(reviewer, { clock, log }), clock, log },
    preview: () => Promise.resolve(place.preview),
    ...(store !== null && { openStore: () => ({ ...store, close: () => undefined }) }),
    ids: { password: () => "", fraction: () => 0.5 },
    ...{ events: EVENT_FUNCTIONS, requests: REQUEST_FUNCTIONS, take: () => true },
  });
  const server = await startHttpServer(
    { port: 0, address: "127.0.0.1", tls: null },
    { front, takesTokens: true },
    log,
  );
  const place: DashboardPlace = {
    ...{ sim, url: `http://127.0.0.1:${server.port}` },
    preview: succeed({ plan: SWITCHOVER, refused: null, why: SWITCHOVER.stages[0]?.why ?? "" }),
    close: () => server.stop(100),
  };
  return place;
}
