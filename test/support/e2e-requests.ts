/**
 * What end-to-end tests of requests share: the shipped rights put together by kustomize as a user does it, people with
 * tokens of their own, and HTTP by nothing but Node.
 */
import { request } from "node:http";
import type { HttpServerOptions } from "../../shared/hosts/local/http-server.ts";
import type { Scene } from "./e2e.ts";
import { applyKustomization } from "./kustomization.ts";

export const HTTP: HttpServerOptions = { port: 0, address: "127.0.0.1", tls: null };

/** The Role of the resident host and these components, in the namespace of the scene. */
export function applyRights(scene: Scene, components: readonly string[]): Promise<void> {
  const at = (name: string) => `kustomize/${name}`;
  return applyKustomization(scene, { resources: ["kustomize"], components: components.map(at) });
}

/** Verbs by resource. */
export type Rights = Readonly<Record<string, readonly string[]>>;

/** A ServiceAccount with these rights in the namespace. */
export async function createUser({ cluster, ref }: Scene, name: string, rights: Rights): Promise<void> {
  const metadata = { name, namespace: ref.namespace };
  const rules = Object.entries(rights).map(([resource, verbs]) => ({
    apiGroups: [resource.startsWith("statefulsets") ? "apps" : ""],
    resources: [resource],
    verbs,
  }));
  const [group, rbac] = ["rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1"];
  const items = [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: rbac, kind: "Role", metadata, rules },
    {
      apiVersion: rbac,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: group, kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", ...metadata }],
    },
  ];
  await cluster.kubectl(["apply", "--filename=-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}

export async function tokenOf(
  { kubectl }: Scene,
  name: string,
  more: readonly string[] = ["--audience=ordinal", "--duration=1h"],
): Promise<string> {
  return (await kubectl("create", "token", name, ...more)).trim();
}

export interface Sending {
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly token?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** One of this machine's own addresses, so that a test can come from several. */
  readonly from?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export function send(
  port: number | null,
  { method = "POST", path, token, key, headers = {}, body, from = "127.0.0.1" }: Sending,
): Promise<Reply> {
  const all = {
    ...(body !== undefined && { "content-type": "application/json" }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(key !== undefined && { "idempotency-key": key }),
    ...headers,
  };
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, method, path, headers: all, localAddress: from, agent: false };
    const call = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("error", reject);
      response.on("end", () => {
        const body: Reply["body"] = text === "" ? {} : JSON.parse(text);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    call.on("error", reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
