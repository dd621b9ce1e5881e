/**
 * The functions that a resident host serves, found in a folder as a platform for functions finds them: hosts
 * know no function by name, so that a new function is a new folder and no host changes.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { EventFunction } from "../functions.ts";
import type { RequestFunction } from "../http/function.ts";

/** `functions/` of a source tree; a bundle has to name its own. */
export const SOURCE_FOLDER: string = fileURLToPath(new URL("../../../functions/", import.meta.url));

export interface Functions {
  readonly events: readonly EventFunction[];
  readonly requests: readonly RequestFunction[];
}

/** What the index module of a function exports: one of the two. */
interface FunctionModule {
  readonly eventFunction?: EventFunction;
  readonly requestFunction?: RequestFunction;
}

/** Throws when a folder holds no module, or none of them a function: a host that serves nothing is a mistake. */
export async function loadFunctions(folder: string): Promise<Functions> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const modules: FunctionModule[] = [];
  for (const name of names.sort()) {
    const files = await readdir(join(folder, name));
    const file = files.find((candidate) => /^index\.(ts|js|mjs)$/.test(candidate));
    if (file === undefined) throw new Error(`${join(folder, name)} holds no index module`);
    const url = pathToFileURL(join(folder, name, file)).href;
    modules.push((await import(/* @vite-ignore */ url)) as FunctionModule);
  }
  const events = modules.flatMap(({ eventFunction: fn }) => (fn === undefined ? [] : [fn]));
  const requests = modules.flatMap(({ requestFunction: fn }) => (fn === undefined ? [] : [fn]));
  if (events.length + requests.length === 0) throw new Error(`${folder} holds no function`);
  return { events, requests };
}

/** Those of these names alone; none = all. Throws on a name that no function has. */
export function selectFunctions({ events, requests }: Functions, names: readonly string[]): Functions {
  const known = [...events, ...requests].map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`there is no function ${unknown}, only ${known.join(", ")}`);
  const isMeant = ({ name }: { readonly name: string }) => names.length === 0 || names.includes(name);
  return { events: events.filter(isMeant), requests: requests.filter(isMeant) };
}
