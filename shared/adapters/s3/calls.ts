/**
 * One call to a store: loads the SDK with the first, ends every call within its limit, and gives values for what
 * the network and the store do. Also what the SDK would do a second time: the hash that a body is signed with is the
 * one that we have already.
 */
import type { Readable } from "node:stream";
import { BrokenStream } from "../../model/broken-stream.ts";
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { AddressJudge, Store } from "../../model/store.ts";
import { type LoadedClient, literalRefusal, loadClient, type S3Limits } from "./client.ts";
import { failureOf, type Subject, sentence } from "./failures.ts";

export interface Calls {
  readonly store: Store;
  readonly limits: S3Limits;
  run<T>(
    subject: Subject,
    limitMs: number,
    work: (loaded: LoadedClient, options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<Outcome<T>>;
  close(): void;
}

export function createCalls(store: Store, judge: AddressJudge, limits: S3Limits): Calls {
  const refusal = literalRefusal(store, judge);
  let loading: Promise<LoadedClient> | null = null;
  return {
    store,
    limits,
    async run(subject, limitMs, work) {
      if (refusal !== null) return fail("refused", sentence(store, subject, refusal));
      loading ??= loadClient(store, judge, limits);
      const loaded = await loading;
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), limitMs);
      try {
        return succeed(await work(loaded, { abortSignal: late.signal }));
      } catch (error) {
        return { ok: false, failure: failureOf(store, subject, error) };
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      void loading?.then(({ client }) => client.destroy());
    },
  };
}

interface Stack {
  add(
    middleware: (next: (args: { request: unknown }) => Promise<never>) => typeof next,
    options: { step: "build" },
  ): void;
}

/** The hash (hex) that the request is signed with, so that the SDK does not compute it a second time. */
export function signWith<C extends { readonly middlewareStack: unknown }>(command: C, digest: string): C {
  const stack = command.middlewareStack as Stack;
  stack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers["x-amz-content-sha256"] = digest;
      return next(args);
    },
    { step: "build" },
  );
  return command;
}

/** A body that breaks off or falls silent (the SDK gives up on it then) breaks with a failure. */
export async function* bodyOf(
  { store }: Calls,
  subject: Subject,
  body: Readable,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new BrokenStream(failureOf(store, subject, error), { cause: error });
  } finally {
    body.destroy();
  }
}
