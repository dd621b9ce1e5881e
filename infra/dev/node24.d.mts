// What TypeScript may know of node24.mjs, which has to run before anything can read TypeScript.

export interface PinnedNode {
  /** The program's path. */
  readonly node: string;
  readonly version: string;
  /** The npm package that it came in, and that package's hash as npm writes it. */
  readonly name: string;
  readonly integrity: string;
}

export function pinnedNode(): Promise<PinnedNode>;
