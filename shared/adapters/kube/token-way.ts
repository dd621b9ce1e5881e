/**
 * Ways to the API server that need no file of settings: an address, the authority that signs for it, and a token that is
 * asked for again and again since it does not live long. In a Pod all of them are in the folder of its account.
 */
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import type { Way } from "./connection.ts";

export interface TokenWay {
  readonly server: URL;
  /** PEM. */
  readonly ca: string;
  readonly namespace: string;
  readonly token: () => Promise<string>;
}

export function wayOfToken({ server, ca, namespace, token }: TokenWay): Way {
  return {
    ...{ server, namespace, proxied: false },
    credentials: async () => ({ ca, headers: { authorization: `Bearer ${await token()}` } }),
  };
}

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Throws outside of a Pod. The kubelet writes a new token long before the old one ends. */
export async function wayOfPod(
  env: Readonly<Record<string, string | undefined>>,
  folder: string = ACCOUNT,
): Promise<Way> {
  const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: port = "443" } = env;
  const address = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  if (host === "" || !URL.canParse(address)) {
    throw new Error("no kubeconfig was named, and this is no Pod with an account");
  }
  const read = async (name: string): Promise<string> => (await readFile(join(folder, name), "utf8")).trim();
  const [ca, namespace] = await Promise.all([read("ca.crt"), read("namespace").catch(() => "default")]);
  return wayOfToken({ server: new URL(address), ca, namespace, token: () => read("token") });
}
