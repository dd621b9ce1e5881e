/**
 * Guards for the few texts that have to stand in a statement itself because MySQL takes no placeholder
 * there. Whatever is not exactly of the expected form is a programmer's error and is thrown.
 */
import { assert } from "../../model/outcome.ts";

/** A DNS name or an IPv4 address. */
export function hostLiteral(host: string): string {
  const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
  assert(host.length <= 253 && new RegExp(`^${label}(?:\\.${label})*$`).test(host), "not a host name");
  return `'${host}'`;
}

export function portLiteral(port: number): string {
  assert(Number.isInteger(port) && port > 0 && port < 65_536, "not a port");
  return String(port);
}

/** Passwords are made by Ordinal from this alphabet. The text never appears in the message. */
export function passwordLiteral(password: string): string {
  assert(/^[A-Za-z0-9]{16,64}$/.test(password), "a password outside of the agreed alphabet");
  return `'${password}'`;
}

/** An account of ours, for any host: pods change their addresses. */
export function accountLiteral(name: string): string {
  assert(/^[a-z][a-z0-9_]{0,31}$/.test(name), "not an account of ours");
  return `'${name}'@'%'`;
}

export function countLiteral(count: number): string {
  assert(Number.isInteger(count) && count >= 0 && count <= 65_535, "not a count");
  return String(count);
}
