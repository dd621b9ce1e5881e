/** One form of result for all benches: a readable line for people, and with `--json` one object as the last line. */

export interface Result {
  /** False makes the command fail: the figure is not what the documentation promises. */
  readonly ok: boolean;
  /** One sentence for each promise that did not hold. */
  readonly broken: readonly string[];
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What no bench that writes may find, whatever was done to the cluster; each a sentence. */
export function brokenBooks(found: {
  readonly lost: number;
  readonly dual: number;
  /** Writes that were refused and are there. */
  readonly ghosts: number;
}): readonly string[] {
  const { lost, dual, ghosts } = found;
  return [
    ...(lost > 0 ? [`${lost} acknowledged writes were lost`] : []),
    ...(dual > 0 ? [`${dual} writes were acknowledged by an old primary beside a new one`] : []),
    ...(ghosts > 0 ? [`${ghosts} refused writes are there`] : []),
  ];
}

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function print(name: string, { ok, broken, fields }: Result, json: boolean): void {
  for (const [field, value] of Object.entries(fields)) say(`${field.padEnd(18)} ${JSON.stringify(value)}`);
  for (const sentence of broken) say(`✘ ${sentence}`);
  say(ok ? `✔ ${name}` : `✘ ${name}`);
  if (json) process.stdout.write(`${JSON.stringify({ ok, ...fields })}\n`);
  process.exitCode = ok ? 0 : 1;
}
