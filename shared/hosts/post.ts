/** A POST of which only the status matters. Its address and headers may hold a secret: none is told, and no redirect is followed. */

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Status of the answer; null when there was none in time. Never throws. */
export async function post(url: URL, message: Message, timeoutMs: number): Promise<number | null> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      ...message,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    await answer.body?.cancel();
    return answer.status;
  } catch {
    // Whatever kept the answer away may quote the address or a header.
    return null;
  }
}
