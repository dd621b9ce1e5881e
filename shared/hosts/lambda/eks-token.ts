/**
 * A token for the API server of EKS: the address of a presigned `GetCallerIdentity` of AWS STS, which the API server's
 * authenticator calls to learn who signed it. It is an AWS Signature Version 4 in the query, over a header that binds the
 * token to one cluster. Nothing is sent by us, and the secret key never leaves the process.
 */
import { createHash, createHmac } from "node:crypto";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Null = of a user, not of a role. */
  readonly sessionToken: string | null;
}

/** A GET to be signed: all that the signature covers. */
export interface Presigning {
  readonly credentials: AwsCredentials;
  readonly region: string;
  readonly service: string;
  readonly host: string;
  /** Of a path whose parts need no encoding. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Beside `host`; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly payloadHash: string;
  readonly expiresSeconds: number;
  readonly now: Date;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const EMPTY_PAYLOAD = createHash("sha256").update("").digest("hex");
/** The API server's authenticator takes no longer ones, and honours them for 15 minutes from `X-Amz-Date`. */
const EXPIRES_SECONDS = 60;

/** encodeURIComponent leaves more as it is than RFC 3986, which AWS encodes by. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function byName(values: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The whole address, signed. */
export function presign(wish: Presigning): string {
  const { credentials, region, service, host, path, now } = wish;
  const stamp = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const day = stamp.slice(0, 8);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const headers = byName({ ...wish.headers, host });
  const signed = headers.map(([name]) => name).join(";");
  const query = byName({
    ...wish.query,
    "X-Amz-Algorithm": ALGORITHM,
    "X-Amz-Credential": `${credentials.accessKeyId}/${scope}`,
    "X-Amz-Date": stamp,
    "X-Amz-Expires": String(wish.expiresSeconds),
    ...(credentials.sessionToken !== null && { "X-Amz-Security-Token": credentials.sessionToken }),
    "X-Amz-SignedHeaders": signed,
  })
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .join("&");
  const lines = headers.map(([name, value]) => `${name}:${value.trim()}\n`).join("");
  const canonical = ["GET", path, query, lines, signed, wish.payloadHash].join("\n");
  const hash = createHash("sha256").update(canonical).digest("hex");
  const key = [day, region, service, "aws4_request"].reduce<string | Buffer>(
    (secret, part) => createHmac("sha256", secret).update(part).digest(),
    `AWS4${credentials.secretAccessKey}`,
  );
  const signature = createHmac("sha256", key)
    .update([ALGORITHM, stamp, scope, hash].join("\n"))
    .digest("hex");
  return `https://${host}${path}?${query}&X-Amz-Signature=${signature}`;
}

/** For the cluster of this name, valid for 15 minutes. */
export function eksToken(
  credentials: AwsCredentials,
  { region, cluster, now }: { readonly region: string; readonly cluster: string; readonly now: Date },
): string {
  const url = presign({
    ...{ credentials, region, now, service: "sts", host: `sts.${region}.amazonaws.com`, path: "/" },
    query: { Action: "GetCallerIdentity", Version: "2011-06-15" },
    headers: { "x-k8s-aws-id": cluster },
    ...{ payloadHash: EMPTY_PAYLOAD, expiresSeconds: EXPIRES_SECONDS },
  });
  return `k8s-aws-v1.${Buffer.from(url).toString("base64url")}`;
}
