/**
 * The SDK's client for one store: which certificates are trusted, which addresses may be reached, how long
 * anything may take. The SDK costs a function's start more than all the rest of Ordinal, so it is loaded with
 * the first call, not with this module.
 */
import { lookup } from "node:dns";
import { Agent as PlainAgent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { S3Client } from "@aws-sdk/client-s3";
import { addressProblem } from "../../model/endpoint.ts";
import type { Store } from "../../model/store.ts";
import { AddressRefused } from "./failures.ts";

export interface S3Limits {
  readonly connectMs: number;
  /** Without a byte in either direction. A store that puts a large object together says nothing meanwhile. */
  readonly silenceMs: number;
  /** For a call that moves little, with all its repetitions. */
  readonly smallCallMs: number;
  /** For a call that moves a part of an object, or has the store put one together. */
  readonly largeCallMs: number;
  /** Tries of one call, with growing and random pauses in between. */
  readonly attempts: number;
}

export const defaultLimits: S3Limits = {
  connectMs: 5_000,
  silenceMs: 120_000,
  smallCallMs: 30_000,
  largeCallMs: 15 * 60_000,
  attempts: 5,
};

const CONNECTIONS_MAX = 16;

export type Sdk = typeof import("@aws-sdk/client-s3");

export interface LoadedClient {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

export async function loadClient(store: Store, limits: S3Limits): Promise<LoadedClient> {
  const { sdk } = await import("./sdk.ts");
  const agent = {
    keepAlive: true,
    maxSockets: CONNECTIONS_MAX,
    lookup: judgedLookup(store.allowInternal),
  };
  const client = new sdk.S3Client({
    endpoint: store.endpoint.origin,
    region: store.region,
    // Names of buckets in the host's name need a wildcard certificate and DNS, which most stores do not have.
    forcePathStyle: true,
    followRegionRedirects: false,
    maxAttempts: limits.attempts,
    retryMode: "standard",
    // Bodies are signed with a hash of our own; see `signedBody` in store.ts.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: limits.connectMs,
      socketTimeout: limits.silenceMs,
      httpAgent: new PlainAgent(agent),
      httpsAgent: new TlsAgent({ ...agent, ...(store.caBundle !== null && { ca: store.caBundle }) }),
    },
    ...(store.key.kind === "static" && {
      credentials: {
        accessKeyId: store.key.accessKeyId,
        secretAccessKey: store.key.secretAccessKey,
      },
    }),
  });
  return { sdk, client };
}

/** An address in the endpoint itself is never looked up, so it is judged for itself. */
export function literalRefusal({ endpoint, allowInternal }: Store): string | null {
  const host = endpoint.hostname.replace(/^\[(.*)\]$/, "$1");
  return isIP(host) === 0 ? null : addressProblem(host, allowInternal);
}

/**
 * Judges the addresses that a connection is made to, and at the moment it is made: a name that was harmless when
 * it was checked may lead elsewhere now. One bad address refuses them all.
 */
function judgedLookup(allowInternal: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const reason = addresses
        .map(({ address }) => addressProblem(address, allowInternal))
        .find((said) => said !== null);
      if (reason !== undefined && reason !== null) callback(new AddressRefused(reason), []);
      else if (options.all === true) callback(null, addresses);
      else callback(null, addresses[0]?.address ?? "", addresses[0]?.family ?? 4);
    });
  };
}
