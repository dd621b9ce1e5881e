/**
 * Whether Ordinal lets itself be led to an endpoint that stands in a Secret: whoever may write a Secret shall not make
 * it ask the cluster's inside, or a cloud's metadata, on their behalf. A name says little about where it leads, so
 * each address that a connection is made to has to be judged as well. Pure. Ranges are those of the IANA registries
 * of special-purpose addresses (RFC 6890).
 */

/** `never`: no store is there, whatever its Secret says. `internal`: only for those who say so. */
type Reach = "never" | "internal";

type Range = readonly [from: string, bits: number, reach: Reach, what: string];

const IPV4: readonly Range[] = [
  ["0.0.0.0", 8, "never", "no address of a host"],
  ["169.254.0.0", 16, "never", "link-local, where clouds keep their metadata"],
  ["100.100.100.200", 32, "never", "the metadata of a cloud"],
  ["192.0.0.0", 24, "never", "for protocols, where clouds keep their metadata"],
  ["168.63.129.16", 32, "never", "the metadata of a cloud"],
  ["224.0.0.0", 4, "never", "multicast"],
  ["240.0.0.0", 4, "never", "reserved"],
  ["127.0.0.0", 8, "internal", "loopback"],
  ["10.0.0.0", 8, "internal", "private"],
  ["172.16.0.0", 12, "internal", "private"],
  ["192.168.0.0", 16, "internal", "private"],
  ["100.64.0.0", 10, "internal", "shared within a network"],
  ["192.0.2.0", 24, "internal", "for documentation"],
  ["198.51.100.0", 24, "internal", "for documentation"],
  ["203.0.113.0", 24, "internal", "for documentation"],
  ["192.88.99.0", 24, "internal", "a relay"],
  ["198.18.0.0", 15, "internal", "for benchmarks"],
];

const IPV6: readonly Range[] = [
  ["::", 128, "never", "no address of a host"],
  ["fe80::", 10, "never", "link-local, where clouds keep their metadata"],
  ["fd00:ec2::", 32, "never", "the metadata of a cloud"],
  ["fd20:ce::254", 128, "never", "the metadata of a cloud"],
  ["ff00::", 8, "never", "multicast"],
  ["::1", 128, "internal", "loopback"],
  ["fc00::", 7, "internal", "private"],
  ["fec0::", 10, "internal", "private"],
  ["64:ff9b:1::", 48, "internal", "translated within a network"],
  ["2001::", 23, "internal", "for protocols, tunnels among them"],
  ["2001:db8::", 32, "internal", "for documentation"],
  ["3fff::", 20, "internal", "for documentation"],
];

/** Where an IPv6 address carries one of IPv4, and how many groups before it tell so. */
const CARRIERS: readonly (readonly [from: string, bits: number, at: number])[] = [
  ["::ffff:0:0", 96, 6],
  ["::ffff:0:0:0", 96, 6],
  ["::", 96, 6],
  ["64:ff9b::", 96, 6],
  ["2002::", 16, 1],
];

const METADATA_NAMES: ReadonlySet<string> = new Set([
  "metadata.google.internal",
  "metadata.goog",
  "metadata.azure.internal",
  "instance-data.ec2.internal",
]);
/** Of names that mean something only within a machine or a network. */
const INTERNAL_ENDINGS: readonly string[] = ["localhost", "local", "internal", "svc", "lan", "home.arpa"];

const BITS_OF_GROUP = 16;

/** As groups of 16 bits: two for IPv4, eight for IPv6; null for what is no address. */
function groupsOf(address: string): readonly number[] | null {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(address)) {
    const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
    return Math.max(a, b, c, d) > 255 ? null : [a * 256 + b, c * 256 + d];
  }
  // A zone names an interface of this machine; the platform's own parser knows every spelling of the rest.
  const [text = ""] = address.split("%", 1);
  const host = /^[0-9a-f:.]+$/i.test(text) ? URL.parse(`http://[${text}]/`)?.hostname : undefined;
  if (host === undefined) return null;
  const [before = "", after] = host.slice(1, -1).split("::");
  const read = (part = ""): readonly number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const [first, last] = [read(before), read(after)];
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function isWithin(groups: readonly number[], from: string, bits: number): boolean {
  const base = groupsOf(from) ?? [];
  return base.every((group, at) => {
    const free = Math.min(BITS_OF_GROUP, Math.max(0, BITS_OF_GROUP * (at + 1) - bits));
    return group >> free === (groups[at] ?? 0) >> free;
  });
}

function rangeOf(groups: readonly number[]): Range | null {
  const found = (groups.length === 2 ? IPV4 : IPV6).find(([from, bits]) => isWithin(groups, from, bits));
  if (found !== undefined) return found;
  if (groups.length === 2) return null;
  const carrier = CARRIERS.find(([from, bits]) => isWithin(groups, from, bits));
  if (carrier !== undefined) return rangeOf(groups.slice(carrier[2], carrier[2] + 2));
  // An address of the interface may carry one too (ISATAP), whatever the network.
  if (((groups[4] ?? 0) & 0xfd_ff) === 0 && groups[5] === 0x5e_fe) return rangeOf(groups.slice(6));
  return isWithin(groups, "2000::", 3) ? null : ["::", 0, "never", "in no part of the Internet"];
}

/**
 * Why nobody may be connected to at this address, as the part of a sentence; null when they may. To be asked of the
 * address that a connection really goes to: a name may lead elsewhere every time it is asked for.
 */
export function addressProblem(address: string, allowInternal: boolean): string | null {
  const groups = groupsOf(address);
  if (groups === null) return "it leads to what is no address";
  const range = rangeOf(groups);
  if (range === null || (range[2] === "internal" && allowInternal)) return null;
  return `${address} is ${range[3]}${range[2] === "internal" ? UNLESS : ""}`;
}

const UNLESS = ', which needs allowInternal: "true"';

function nameProblem(host: string, allowInternal: boolean): string | null {
  const name = host.replace(/\.+$/, "");
  const labels = name.split(".");
  if (name.length > 253 || !labels.every((label) => /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(label))) {
    return "its host is no name";
  }
  if (METADATA_NAMES.has(name)) return `${name} is the metadata of a cloud`;
  const isInternal =
    labels.length === 1 ||
    INTERNAL_ENDINGS.some((ending) => name.endsWith(`.${ending}`)) ||
    // A Service, in a cluster whose domain is its own.
    labels.indexOf("svc") >= 2;
  return isInternal && !allowInternal ? `${name} is a name within a network${UNLESS}` : null;
}

/** Why this endpoint may not be used, as the part of a sentence; null when it may. Its addresses are judged later. */
export function endpointProblem(endpoint: URL, allowInternal: boolean): string | null {
  const { protocol, username, password, pathname, hostname } = endpoint;
  if (protocol !== "https:" && protocol !== "http:") return "it must begin with https";
  if (protocol === "http:" && !allowInternal) return `it must begin with https; http${UNLESS}`;
  if (username !== "" || password !== "") return "no user may stand in it";
  if (pathname !== "/" || /[?#]/.test(endpoint.href)) return "nothing may stand behind its host";
  if (hostname.startsWith("[")) return addressProblem(hostname.slice(1, -1), allowInternal);
  return groupsOf(hostname) === null
    ? nameProblem(hostname, allowInternal)
    : addressProblem(hostname, allowInternal);
}
