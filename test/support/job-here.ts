/** The program of Jobs as a process of its own, with folders in place of what a pod mounts. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NODE_ENVIRONMENT, NODE_FLAGS } from "../../shared/backup/memory.ts";
import type { JobOrder } from "../../shared/model/job-order.ts";
import type { Store } from "../../shared/model/store.ts";
import { PLACE } from "./job-work.ts";
import { fieldsOf } from "./store-secret.ts";
import { newIdentity, newIdentityText } from "./streams.ts";

const MAIN = join(import.meta.dirname, "../../shared/hosts/job/main.ts");

export interface Ran {
  readonly code: number | null;
  readonly words: string;
  readonly log: string;
}

export interface JobWish {
  readonly order: JobOrder;
  /** With the store's keys of age. */
  readonly encrypts?: boolean;
  /** What is in the Secret with the account; absent = none is mounted. */
  readonly account?: Readonly<Record<string, string>>;
  /** The top of a member's volume; absent = none is mounted. */
  readonly volume?: string;
}

export interface JobsHere {
  readonly ageIdentity: string;
  /** In a group of its own, so that it can be ended with all that it has started, as a container is. */
  start(wish: JobWish): { readonly child: ChildProcess; readonly done: Promise<Ran> };
  close(): void;
}

/** `bin`: a folder with the programs of MySQL. */
export function jobsHere(bin: string, store: Store): JobsHere {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-job-"));
  const ageIdentity = newIdentityText();
  let runs = 0;

  function secret(name: string, values: Readonly<Record<string, string>>): string {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    for (const [key, value] of Object.entries(values)) writeFileSync(join(path, key), value);
    return path;
  }

  function storeSecret(encrypts: boolean): string {
    const age = { ageIdentity, ageRecipients: [newIdentity(ageIdentity).recipient] };
    const settings = { ...store, prefix: PLACE.prefix, ...(encrypts && age) };
    return secret(encrypts ? "store-age" : "store", fieldsOf(settings));
  }

  return {
    ageIdentity,
    start({ order, encrypts = false, account, volume }) {
      runs += 1;
      const scratch = join(folder, `s${runs}`);
      const result = join(folder, `result-${runs}`);
      mkdirSync(scratch);
      const child = spawn(process.execPath, [...NODE_FLAGS, MAIN], {
        detached: true,
        stdio: ["ignore", "ignore", "pipe"],
        env: {
          ...NODE_ENVIRONMENT,
          ...{ PATH: `${bin}:/usr/bin:/bin`, ORDINAL_JOB: JSON.stringify(order), ORDINAL_RESULT: result },
          ...{ ORDINAL_STORE: storeSecret(encrypts), ORDINAL_SCRATCH: scratch },
          ...(account !== undefined && { ORDINAL_ACCOUNT: secret(`account-${runs}`, account) }),
          ...(volume !== undefined && { ORDINAL_VOLUME: volume }),
        },
      });
      let log = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        log += text;
      });
      const done = new Promise<Ran>((resolve) => {
        child.once("close", (code) => {
          rmSync(scratch, { recursive: true, force: true, maxRetries: 10 });
          let words = "";
          try {
            words = readFileSync(result, "utf8");
          } catch {
            // Killed before its last words.
          }
          resolve({ code, words, log });
        });
      });
      return { child, done };
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}
