/** Time, chance and log lines, so that a simulation can supply its own. */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

export interface Ids {
  /** 32 characters of [A-Za-z0-9], from a cryptographic source. */
  password(): string;
  /** A number in [0, 1), for jitter. */
  fraction(): number;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  /** One line per pass or noteworthy event. Never a secret, never a whole object. */
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
}
