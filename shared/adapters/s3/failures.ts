/**
 * What an unhappy answer of a store means to us: the one place where S3's codes, HTTP statuses and TLS errors
 * become the four kinds of failure, each with one sentence that says what to do. A message never holds what was
 * sent, nor the store's own text where that may quote a signature.
 */
import * as z from "zod";
import type { Failure, FailureKind } from "../../model/outcome.ts";
import type { Store } from "../../model/store.ts";

/** What was tried, for messages. */
export interface Subject {
  readonly verb: "write" | "look at" | "read" | "list" | "delete" | "upload" | "abort the upload of";
  readonly key: string;
}

/** Thrown by our own lookup: the name led to an address that may not be connected to. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
}

const errorSchema = z.object({
  name: z.string().catch("Error"),
  message: z.string().catch(""),
  code: z.string().optional().catch(undefined),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional().catch(undefined),
  $response: z
    .object({ headers: z.record(z.string(), z.string()) })
    .optional()
    .catch(undefined),
});

interface Meaning {
  readonly kind: FailureKind;
  readonly tell: (store: Store) => string;
}

const refused = (tell: Meaning["tell"]): Meaning => ({ kind: "refused", tell });
const transient = (what: string): Meaning => ({ kind: "transient", tell: () => what });
const gone: Meaning = { kind: "gone", tell: () => "there is no such object" };

const wrongRegion = refused(
  ({ region }) => `the bucket is not in region ${region}; correct region or endpoint in the Secret`,
);
const wrongKey = refused(
  () => "it does not know this access key; correct accessKeyId and secretAccessKey in the Secret",
);
const expired = refused(() => "the access key has expired; put a valid one into the Secret");
const wrongClock = refused(
  () => "its clock and ours differ by more than 15 minutes; set the clock of the machine that is wrong",
);
const damaged = transient("the bytes were damaged on the way");
const busy = transient("it is too busy");

/** By the code in the store's answer, which is also the name of the SDK's error. */
const BY_CODE: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: refused(
    ({ bucket }) => `there is no bucket ${bucket}; create it or correct bucket in the Secret`,
  ),
  NoSuchKey: gone,
  NotFound: gone,
  NoSuchUpload: gone,
  InvalidAccessKeyId: wrongKey,
  XAdminUserNotFound: wrongKey,
  SignatureDoesNotMatch: wrongKey,
  InvalidToken: expired,
  ExpiredToken: expired,
  TokenRefreshRequired: expired,
  CredentialsProviderError: refused(
    () => "the platform gives us no role; set one up, or put an access key into the Secret",
  ),
  PermanentRedirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  RequestTimeTooSkewed: wrongClock,
  PreconditionFailed: { kind: "conflict", tell: () => "the object exists already or has changed" },
  // Somebody else writes the same key at this moment; who of us is first is not decided yet.
  ConditionalRequestConflict: busy,
  OperationAborted: busy,
  SlowDown: busy,
  ServiceUnavailable: busy,
  TooManyRequestsException: busy,
  BadDigest: damaged,
  XAmzContentSHA256Mismatch: damaged,
  IncompleteBody: damaged,
  InvalidRange: refused(() => "the object is shorter than it was"),
  QuotaExceeded: refused(() => "its quota is used up; free space or raise the quota"),
  InsufficientStorage: refused(() => "its disk is full; free space"),
  NotImplemented: refused(() => "it cannot do this; use another store"),
};

/** By Node's code for what went wrong below HTTP. */
const BY_NETWORK_CODE: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: transient("nobody listens there"),
  ENOTFOUND: transient("its name is not known"),
  ECONNRESET: transient("the connection broke off"),
  EPIPE: transient("the connection broke off"),
  EPROTO: refused(() => "it does not speak TLS; correct endpoint in the Secret"),
  CERT_HAS_EXPIRED: refused(() => "its certificate has expired; renew it there"),
  ERR_TLS_CERT_ALTNAME_INVALID: refused(() => "its certificate is for another name; correct endpoint"),
};
const UNTRUSTED: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);
const untrusted = refused(
  () => "its certificate is signed by nobody we trust; put the authority into caBundle of the Secret",
);

const DETAIL_CHARS_MAX = 200;

export function failureOf(store: Store, subject: Subject, error: unknown): Failure {
  const said = errorSchema.parse(error);
  const status = said.$metadata?.httpStatusCode;
  const meaning = meaningOf(error, said, status);
  const retryAfter = Number(said.$response?.headers["retry-after"] ?? Number.NaN);
  return {
    kind: meaning.kind,
    message: sentence(store, subject, meaning.tell(store)),
    ...(status !== undefined && { code: status }),
    ...(retryAfter >= 0 && { retryAfterMs: retryAfter * 1000 }),
    ...(said.code === "ECONNREFUSED" && { closed: true }),
  };
}

/** What is wrong comes first: the rest is long, and is cut off where there is little room. */
export function sentence(store: Store, { verb, key }: Subject, what: string): string {
  const { name, bucket, endpoint } = store;
  return `Store ${name}: ${what} (could not ${verb} ${key} in bucket ${bucket} at ${endpoint.host}).`;
}

function meaningOf(error: unknown, said: z.infer<typeof errorSchema>, status: number | undefined): Meaning {
  if (error instanceof AddressRefused) return refused(() => error.message);
  const known = BY_CODE[said.name] ?? BY_NETWORK_CODE[said.code ?? ""];
  if (known !== undefined) return known;
  if (UNTRUSTED.has(said.code ?? "")) return untrusted;
  return status === undefined ? withoutAnswer(said) : byStatus(status, said.name);
}

/** An answer whose code is none of the known ones, or that has none: a HEAD, or the page of a proxy. */
function byStatus(status: number, code: string): Meaning {
  // That something is missing is believed only from a store that says what: much is decided by it.
  if (status === 412) return BY_CODE["PreconditionFailed"] ?? gone;
  if (status === 301 || status === 307) return wrongRegion;
  if (status === 403) {
    return refused(() => `access denied (${code}); grant it to this access key, or the object is locked`);
  }
  if (status === 507) return BY_CODE["InsufficientStorage"] ?? gone;
  if (status === 429 || status >= 500) return transient(`it answered ${code} (HTTP ${status})`);
  // A success that is none: an answer that could not be read.
  if (status < 300) return transient("its answer could not be read");
  return refused(() => `it answered ${code} (HTTP ${status}); correct the Secret`);
}

function withoutAnswer({ name, message, code }: z.infer<typeof errorSchema>): Meaning {
  if (name === "AbortError" || name === "TimeoutError") return transient("it did not answer in time");
  return transient(code ?? message.slice(0, DETAIL_CHARS_MAX));
}
