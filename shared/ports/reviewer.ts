/**
 * Who somebody is and what they may do, as the API server says: Ordinal keeps no accounts and no rules of its
 * own. Nothing that comes from here holds a token.
 */
import type { ObjectRef } from "../model/kube.ts";
import type { Outcome } from "../model/outcome.ts";

/** As the API server knows whoever a token belongs to. */
export interface User {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** What may be done to a StatefulSet. */
export interface Right {
  readonly verb: "get" | "update" | "patch";
  /** Absent = the StatefulSet itself. */
  readonly subresource?: "scale";
}

export interface Reviewer {
  /** Null when the token is not accepted, or was made for another audience. */
  authenticate(token: string, audience: string): Promise<Outcome<User | null>>;
  authorise(user: User, right: Right, set: ObjectRef): Promise<Outcome<boolean>>;
}
