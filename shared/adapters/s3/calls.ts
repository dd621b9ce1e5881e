/**
 * One call to a store: loads the SDK with the first, ends every call within its limit, and gives values for what
 * the network and the store do. Also what the SDK would do a second time: the hash that a body is signed with is the
 * one that we have already.
 */
import { Readable } from "node:stream";
import { BrokenStream } from "../../model/broken-stream.ts";
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Store } from "../../model/store.ts";
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

export function createCalls(store: Store, limits: S3Limits): Calls {
  const refusal = literalRefusal(store);
  let loading: Promise<LoadedClient> | null = null;
  return {
    store,
    limits,
    async run(subject, limitMs, work) {
      if (refusal !== null) return fail("refused", sentence(store, subject, refusal));
      loading ??= loadClient(store, limits);
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

interface Args {
  readonly request: unknown;
}
type Next = (args: Args) => Promise<never>;

interface Stack {
  add(middleware: (next: Next) => Next, options: { step: "build" | "deserialize" }): void;
}

interface HttpRequest {
  readonly headers: Record<string, string>;
  body: unknown;
}

const WRITE_BYTES = 64 * 1024;

/**
 * Prepares a command that writes bytes. `digest` (hex) is what the request is signed with, so that the SDK does
 * not compute it a second time. Each try gets the bytes piece by piece: TLS would encrypt them all at once
 * otherwise, and hold a second copy of every part that is under way.
 */
export function writing<C extends { readonly middlewareStack: unknown }>(
  command: C,
  {
    bytes,
    digest,
    onTry,
  }: { readonly bytes: Uint8Array; readonly digest: string; readonly onTry?: () => void },
): C {
  const stack = command.middlewareStack as Stack;
  const onRequest = (change: (request: HttpRequest) => void) => (next: Next) => (args: Args) => {
    change(args.request as HttpRequest);
    return next(args);
  };
  stack.add(
    onRequest(({ headers }) => {
      headers["x-amz-content-sha256"] = digest;
    }),
    { step: "build" },
  );
  stack.add(
    onRequest((request) => {
      onTry?.();
      request.body = Readable.from(piecesOf(bytes), { objectMode: false });
    }),
    { step: "deserialize" },
  );
  return command;
}

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += WRITE_BYTES) yield bytes.subarray(at, at + WRITE_BYTES);
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
