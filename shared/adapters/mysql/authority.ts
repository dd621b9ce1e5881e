/**
 * Whom a connection trusts. MySQL makes each server an authority of its own at the first start and sends it
 * along with its certificate, so the first connection records that authority and every later one accepts
 * nothing else. Host names are not checked: those certificates carry none. The check is over before the
 * first byte of a password is sent.
 */
import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { SslOptions } from "mysql2";

/** mysql2 keeps the context and its sessions by the identity of this object, so there is one for each authority. */
const pinned = new Map<string, SslOptions>();
const PINNED_MAX = 512;

/** Null when what was recorded is no certificate: nobody can be recognised by it. */
export function tlsOptions(authority: string | null): SslOptions | null {
  const known = authority === null ? undefined : pinned.get(authority);
  if (known !== undefined) return known;
  const options: SslOptions = { minVersion: "TLSv1.2", rejectUnauthorized: false };
  if (authority === null) return options;
  const certificate = readCertificate(authority);
  if (certificate === null) return null;
  if (certificate.ca) Object.assign(options, { ca: authority, rejectUnauthorized: true });
  if (pinned.size >= PINNED_MAX) pinned.clear();
  pinned.set(authority, options);
  return options;
}

/** It stands in an annotation, where anybody with the right to patch may have written anything. */
function readCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

/** The far end of the chain that the server presented: its authority, else its own certificate. PEM. */
export function presentedAuthority(socket: TLSSocket): string | null {
  let certificate = socket.getPeerX509Certificate();
  while (certificate?.issuerCertificate !== undefined && certificate.issuerCertificate !== certificate) {
    certificate = certificate.issuerCertificate;
  }
  return certificate?.toString() ?? null;
}

/**
 * A certificate that is not an authority cannot be checked as one, so there the server must present this
 * very certificate. A chain to a pinned authority was already checked by the handshake itself.
 */
export function mismatch(socket: TLSSocket, authority: string | null): Error | undefined {
  if (authority === null || new X509Certificate(authority).ca) return undefined;
  const presented = socket.getPeerX509Certificate();
  if (presented?.fingerprint256 === new X509Certificate(authority).fingerprint256) return undefined;
  return new Error("the server presents another certificate than the recorded one");
}
