/**
 * Parsers of what database servers send, with valid examples that are damaged and with noise, in pieces of any size: one
 * that is broken, or is another than it seems, is answered with a failure and never with an exception.
 */
import { rootCertificates } from "node:tls";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { tlsOptions } from "../../shared/adapters/mysql/authority.ts";
import { refusalOf } from "../../shared/adapters/mysql/log.ts";
import { LogReading } from "../../shared/adapters/mysql/log-events.ts";
import { Packets } from "../../shared/adapters/mysql/packets.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { HOSTILE } from "../support/hostile.ts";
import { inPieces, mutatedBytes, mutatedText } from "../support/mutations.ts";
import { propertyRuns } from "../support/property-runs.ts";

const RUNS = { numRuns: propertyRuns(2_000, 100_000) };
const TIMEOUT_MS = 900_000;

const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 });
const noise = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
const anyValue = fc.oneof(
  fc.constantFrom(...HOSTILE.map(({ value }) => value)),
  fc.string({ unit: "binary", maxLength: 40 }),
);

/** An event of a binary log whose length and checksum fit, whatever is in it. */
const event = fc
  .tuple(
    fc.constantFrom(2, 3, 4, 15, 16, 19, 27, 30, 33, 34, 35, 40, 41, 42),
    fc.uint8Array({ maxLength: 120 }),
    fc.constantFrom(0, 1),
  )
  .map(([type, body, checksums]) => {
    const bytes = Buffer.concat([Buffer.alloc(19), body, Buffer.from([checksums]), Buffer.alloc(4)]);
    bytes.writeUInt8(type, 4);
    bytes.writeUInt32LE(bytes.length, 9);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
    return bytes;
  });

function framed(payload: Buffer): Buffer {
  const frame = Buffer.alloc(4);
  frame.writeUIntLE(payload.length, 0, 3);
  return Buffer.concat([frame, payload]);
}

test(
  "events of a binary log: taken, or one sentence",
  () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 6, arbitrary: event }, mutatedBytes(event), noise), { maxLength: 12 }),
        sizes,
        (events, cuts) => {
          const reading = new LogReading();
          for (const one of events) {
            const pieces = [...inPieces(Buffer.concat([Buffer.from([0]), one]), cuts)];
            for (const [index, piece] of pieces.entries()) {
              const sign = reading.take(piece, index === pieces.length - 1);
              if (sign?.kind === "complaint") expect(sign.why).toMatch(/^[\x20-\x7e]{5,80}$/);
              if (sign?.kind === "transaction") expect(gtidSets.count(sign.gtid)).toBe(1n);
              if (sign?.kind === "more") expect(sign.bytes.length).toBeLessThanOrEqual(one.length);
            }
          }
        },
      ),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "packets: the same whatever the pieces, and no more is passed on than has come",
  () => {
    const stream = fc
      .array(fc.oneof(event, noise), { maxLength: 6 })
      .map((payloads) => Buffer.concat(payloads.map(framed)));
    fc.assert(
      fc.property(fc.oneof(stream, mutatedBytes(stream), noise), sizes, (bytes, cuts) => {
        const noted = () => {
          const log: string[] = [];
          return {
            log,
            packets: new Packets((part, ends) => void log.push(`${part.toString("hex")}${ends ? ";" : ""}`)),
          };
        };
        const [one, other] = [noted(), noted()];
        one.packets.push(bytes);
        for (const each of inPieces(bytes, cuts)) other.packets.push(each);
        expect(other.log.join("")).toBe(one.log.join(""));
        expect(one.log.join("").length).toBeLessThanOrEqual(bytes.length * 2 + bytes.length);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "refusals of a server",
  () => {
    fc.assert(
      fc.property(noise, (packet) => {
        const { kind, message } = refusalOf(packet, "reading");
        expect(["transient", "refused"]).toContain(kind);
        expect(message.length).toBeLessThan(250);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "authorities: a certificate or none",
  () => {
    const valid = fc.constantFrom(...rootCertificates.slice(0, 5));
    expect(tlsOptions(rootCertificates[0] ?? "")).toMatchObject({ rejectUnauthorized: true });
    fc.assert(
      fc.property(fc.oneof({ weight: 4, arbitrary: mutatedText(valid) }, anyValue), (pem) => {
        const options = tlsOptions(pem);
        if (options !== null) expect(pem).toContain("BEGIN");
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);
