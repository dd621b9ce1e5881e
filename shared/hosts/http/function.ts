/**
 * What a function of requests is to every host: a name and its routes' answers. It is called when it is known who
 * asks, that they may, and that what they sent has the form that the table of routes gives.
 */
import type { ClusterRef } from "../../model/cluster.ts";
import type { PreviewRequest } from "../../model/request.ts";
import type { Store } from "../../model/store.ts";
import type { Clock, Ids, Log } from "../../ports/host.ts";
import type { Kube } from "../../ports/kube.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { User } from "../../ports/reviewer.ts";
import type { HttpAnswer } from "./answers.ts";
import type { Guard } from "./guard.ts";
import type { BodyOf, ClusterRoute, FleetRoute, PageRoute } from "./routes.ts";

export interface Asked<Body = unknown> {
  readonly ref: ClusterRef;
  /** Id of an operation, where the path has one; else empty. */
  readonly id: string;
  readonly user: User;
  readonly body: Body;
  /** Of the user and the idempotency key: the same for a request that comes again. */
  readonly key: string;
  readonly dryRun: boolean;
}

export interface Tools {
  readonly kube: Kube;
  readonly guard: Guard;
  /** Those that are served; empty = all. */
  readonly namespaces: readonly string[];
  readonly preview: PreviewRequest;
  /** Absent = this host asks no store. */
  readonly openStore?: (store: Store) => ObjectStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** When this process last looked at a cluster, milliseconds since 1970; null = it did not. Absent = it makes no passes. */
  readonly lookedAtMs?: (ref: ClusterRef) => number | null;
}

/** `headers` by their names in lower case. */
type ShowFleet = (
  user: User,
  tools: Tools,
  headers: Readonly<Record<string, string | undefined>>,
) => Promise<HttpAnswer>;

export interface RequestFunction {
  readonly name: string;
  readonly answers: {
    readonly [Name in ClusterRoute]?: (asked: Asked<BodyOf<Name>>, tools: Tools) => Promise<HttpAnswer>;
  };
  readonly fleet?: { readonly [Name in FleetRoute]?: ShowFleet };
  /** Files for anybody; the same at every time. */
  readonly pages?: { readonly [Name in PageRoute]?: HttpAnswer };
}
