/**
 * Where traces and metrics of passes are sent: OpenTelemetry's own variables of the environment, as far as they concern
 * OTLP by HTTP with JSON. Headers may hold a secret: what is wrong is said without a value.
 */

export interface TelemetrySettings {
  /** Null = none are sent. */
  readonly tracesUrl: URL | null;
  readonly metricsUrl: URL | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Of whatever sends. */
  readonly resource: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "OTEL_EXPORTER_OTLP";
const PROTOCOL = "http/json";

function wrong(name: string, what: string): Error {
  return new Error(`${name} ${what}`);
}

function addressIn(name: string, text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw wrong(name, "is no http or https address: correct it, or take it away");
  return url;
}

function percentDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** `a=1,b=2`, each percent-encoded. */
function pairsIn(name: string, text: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const pair of text.split(",").filter((one) => one.trim() !== "")) {
    const [, key = "", value = ""] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*=(.*)$/s.exec(pair) ?? [];
    const decoded = percentDecoded(value.trim());
    if (key === "" || decoded === null)
      throw wrong(name, "holds something else than NAME=VALUE, with commas between them: correct it");
    pairs[key] = decoded;
  }
  return pairs;
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname);
}

/** Of one signal: its own address, used as it is, or the path of that signal below the common one. */
function urlOf(environment: Environment, signal: "TRACES" | "METRICS"): URL | null {
  const [own, common] = [`${PREFIX}_${signal}_ENDPOINT`, `${PREFIX}_ENDPOINT`];
  const [given, base] = [environment[own], environment[common]];
  if (environment[`OTEL_${signal}_EXPORTER`] === "none") return null;
  if (given) return addressIn(own, given);
  if (!base) return null;
  const url = addressIn(common, base);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/${signal.toLowerCase()}`;
  return url;
}

/** Null = nothing is to be sent. Throws, without quoting a value, when what is set cannot be used. */
export function readTelemetrySettings(environment: Environment): TelemetrySettings | null {
  if (environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return null;
  const [tracesUrl, metricsUrl] = [urlOf(environment, "TRACES"), urlOf(environment, "METRICS")];
  if (tracesUrl === null && metricsUrl === null) return null;
  const protocol = environment[`${PREFIX}_PROTOCOL`] || PROTOCOL;
  if (protocol !== PROTOCOL) throw wrong(`${PREFIX}_PROTOCOL`, `must be ${PROTOCOL}: no other one is spoken`);
  const headers = pairsIn(`${PREFIX}_HEADERS`, environment[`${PREFIX}_HEADERS`] ?? "");
  const isOpen = [tracesUrl, metricsUrl].some((url) => url?.protocol === "http:" && !isLoopback(url));
  if (isOpen && Object.keys(headers).length > 0)
    throw wrong(`${PREFIX}_HEADERS`, "may hold a secret, and the address is http: use https");
  const given = pairsIn("OTEL_RESOURCE_ATTRIBUTES", environment["OTEL_RESOURCE_ATTRIBUTES"] ?? "");
  const name = environment["OTEL_SERVICE_NAME"] || given["service.name"] || "ordinal";
  return { tracesUrl, metricsUrl, headers, resource: { ...given, "service.name": name } };
}
