/**
 * The document of a chain: which segments it has, each a log file of whole transactions, and what the server had before
 * the first. Read from a bucket that others may write to: strictly, within limits, and only for where it stands.
 */
import * as z from "zod";
import { canonicalJson, parseJson } from "../../annotations/json.ts";
import { versionOf } from "../../annotations/version.ts";
import { MANIFEST_BYTES_MAX, partSchema, type Read } from "../manifest.ts";
import { CHAIN_SEGMENTS_MAX, type ChainName } from "./keys.ts";

export const CHAIN_VERSION = 1;

const line = z.string().max(256);
const position = z.string().max(1024 * 1024);
/** Microseconds since 1970. */
const instantUs = z.number().int().min(0);

const segmentSchema = z
  .strictObject({
    /** The transactions in it, and nothing else. */
    position,
    transactions: z.number().int().min(1),
    /** When the first of them in the log was committed, and the last, by the clocks of the servers that did it first; they only grow. */
    firstAtUs: instantUs,
    lastAtUs: instantUs,
    /** Together one log file, once opened. */
    parts: z.array(partSchema).min(1).max(10_000),
  })
  .refine(({ firstAtUs, lastAtUs }) => firstAtUs <= lastAtUs);
export type SegmentRecord = z.infer<typeof segmentSchema>;

const chainSchema = z.strictObject({
  v: z.literal(CHAIN_VERSION),
  cluster: z.strictObject({ namespace: line, name: line, uid: line }),
  engine: z.strictObject({ name: line, version: line }),
  serverUuid: line,
  /**
   * What this server had executed and is not in the chain, up to its first segment: the log before it held this and
   * nothing else, so whoever has this can go on with the first segment. Nothing in it was committed later.
   */
  after: position,
  segments: z.array(segmentSchema).min(1).max(CHAIN_SEGMENTS_MAX),
  compression: z.literal("zstd"),
  /** Public keys of those who can read it; null = it is not encrypted. */
  recipients: z.array(line).min(1).max(16).nullable(),
});
export type Chain = z.infer<typeof chainSchema>;

export interface ChainStanding extends ChainName {
  readonly clusterUid: string;
  /** By the key's number. */
  readonly segments: number;
}

function unusable(why: string): Read<never> {
  return { kind: "unusable", why };
}

/** Never throws. */
export function decodeChain(text: string, standing: ChainStanding): Read<Chain> {
  const parsed = parseJson(text, MANIFEST_BYTES_MAX);
  if (!parsed.ok) return unusable(`it cannot be read: ${parsed.reason}`);
  const version = versionOf(parsed.value);
  if (version > CHAIN_VERSION) return unusable(`it is of version ${version}, which a newer Ordinal wrote`);
  const checked = chainSchema.safeParse(parsed.value);
  if (!checked.success) return unusable("it is not as it should be");
  const { cluster, serverUuid, segments } = checked.data;
  const belongs =
    cluster.uid === standing.clusterUid &&
    serverUuid === standing.serverUuid &&
    segments.length === standing.segments;
  return belongs ? { kind: "valid", value: checked.data } : unusable("it is of another cluster or chain");
}

/** Throws on a value that could not be read back. */
export function encodeChain(chain: Chain): string {
  return canonicalJson(chainSchema.parse(chain));
}
