/** Which version of Ordinal this program is: that of package.json, put in where it is bundled (infra/dev/bundle.ts). */

/** There is none where the source itself is run. */
declare const ORDINAL_VERSION: string | undefined;

export const PROGRAM_VERSION: string = typeof ORDINAL_VERSION === "string" ? ORDINAL_VERSION : "from source";
