/**
 * What stands in front of the API server in EKS, as far as tokens go: a TLS server that takes only our presigned
 * `GetCallerIdentity`, made for this cluster, signed with the key of the one identity that it knows, and not older than a
 * quarter of an hour; the request then goes on with the token that this identity has in the cluster.
 */
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { presign } from "../../shared/hosts/lambda/eks-token.ts";
import type { ServerCertificate } from "./certificates.ts";

export const IDENTITY = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  sessionToken: "a session/token+with=signs",
} as const;
const [REGION, CLUSTER] = ["eu-central-1", "shop"];
const VALID_MS = 15 * 60_000;

export interface Behind {
  readonly server: URL;
  readonly ca: string;
  readonly token: string;
}

/** Null when the token is right. */
export function whyNoIdentity(authorization: string, nowMs: number): string | null {
  const [, encoded] = /^Bearer k8s-aws-v1\.([\w-]+)$/.exec(authorization) ?? [];
  if (encoded === undefined) return "no token of EKS";
  const url = new URL(Buffer.from(encoded, "base64url").toString("utf8"));
  const stamp = (url.searchParams.get("X-Amz-Date") ?? "").replace(
    /^(....)(..)(..)T(..)(..)(..)Z$/,
    "$1-$2-$3T$4:$5:$6Z",
  );
  const again = presign({
    ...{
      credentials: IDENTITY,
      region: REGION,
      service: "sts",
      host: `sts.${REGION}.amazonaws.com`,
      path: "/",
    },
    query: { Action: "GetCallerIdentity", Version: "2011-06-15" },
    headers: { "x-k8s-aws-id": CLUSTER },
    payloadHash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ...{ expiresSeconds: 60, now: new Date(stamp) },
  });
  if (url.href !== new URL(again).href) return "another signature";
  return Math.abs(nowMs - Date.parse(stamp)) <= VALID_MS ? null : "too old";
}

export interface EksGate {
  /** What a function is told by its environment. */
  readonly env: Readonly<Record<string, string>>;
  close(): void;
}

/** `answer` gets what has shown its identity. */
export async function openGate(
  { authority, certFile, keyFile }: ServerCertificate,
  answer: (incoming: IncomingMessage, response: ServerResponse) => void,
): Promise<EksGate> {
  const files = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const server = createServer(files, (incoming, response) => {
    const why = whyNoIdentity(incoming.headers.authorization ?? "", Date.now());
    if (why === null) return answer(incoming, response);
    response.writeHead(401, { "content-type": "application/json" }).end(JSON.stringify({ message: why }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    env: {
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: IDENTITY.accessKeyId,
      AWS_SECRET_ACCESS_KEY: IDENTITY.secretAccessKey,
      AWS_SESSION_TOKEN: IDENTITY.sessionToken,
      ORDINAL_CLUSTER_ENDPOINT: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      ORDINAL_CLUSTER_CA: Buffer.from(authority).toString("base64"),
      ORDINAL_CLUSTER_NAME: CLUSTER,
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Passes everything on to a real API server, as the account whose token this is. */
export function passOn({ server, ca, token }: Behind) {
  return (incoming: IncomingMessage, response: ServerResponse): void => {
    const headers = { ...incoming.headers, host: server.host, authorization: `Bearer ${token}` };
    const far = request(
      new URL(incoming.url ?? "/", server),
      { ca, headers, method: incoming.method },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    far.on("error", () => response.destroy());
    incoming.pipe(far);
  };
}
