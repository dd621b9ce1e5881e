/** Work in pieces for as many processes as there are cores, each running this command in its worker form. */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";

/** `take`: a piece's answer. The main file is started with `--worker` and gets one piece per message. */
export async function inParallel<P, A>(
  main: string,
  pieces: readonly P[],
  take: (answer: A, piece: P) => void,
): Promise<void> {
  const queue = [...pieces];
  const workers = Math.min(availableParallelism(), queue.length);
  await Promise.all(Array.from({ length: workers }, () => work(main, queue, take)));
}

function work<P, A>(main: string, queue: P[], take: (answer: A, piece: P) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(main, ["--worker"], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "json",
    });
    let current: P | undefined;
    const next = (): void => {
      current = queue.shift();
      if (current === undefined) child.disconnect();
      else child.send(current as object);
    };
    child.on("message", (answer) => {
      if (current !== undefined) take(answer as A, current);
      next();
    });
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
    next();
  });
}

/** The other side: answers each piece until the parent has no more. */
export function serve<P, A>(answer: (piece: P) => Promise<A>): void {
  process.on("message", (piece) => {
    void answer(piece as P).then((value) => process.send?.(value as object));
  });
}
