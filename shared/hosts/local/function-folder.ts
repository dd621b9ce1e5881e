/**
 * The functions that a resident host serves, found in a folder as a platform for functions finds them: hosts
 * know no function by name, so that a new function is a new folder and no host changes.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { EventFunction } from "../functions.ts";

/** `functions/` of a source tree; a bundle has to name its own. */
export const SOURCE_FOLDER: string = fileURLToPath(new URL("../../../functions/", import.meta.url));

/** Throws when a folder holds no module, or none of them a function of events: a deaf host is a mistake. */
export async function loadFunctions(folder: string): Promise<readonly EventFunction[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const functions: EventFunction[] = [];
  for (const name of names.sort()) {
    const files = await readdir(join(folder, name));
    const file = files.find((candidate) => /^index\.(ts|js|mjs)$/.test(candidate));
    if (file === undefined) throw new Error(`${join(folder, name)} holds no index module`);
    const url = pathToFileURL(join(folder, name, file)).href;
    const module = (await import(/* @vite-ignore */ url)) as { readonly eventFunction?: EventFunction };
    // Functions of HTTP requests export something else and are not for events.
    if (module.eventFunction !== undefined) functions.push(module.eventFunction);
  }
  if (functions.length === 0) throw new Error(`${folder} holds no function that accepts events`);
  return functions;
}
