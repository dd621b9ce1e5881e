/** How many random inputs a property is tried with. */

/** `nightly`: in the longer form. A limit in the environment lowers both, for tests that are repeated for every mutant. */
export function propertyRuns(usual: number, nightly: number = usual): number {
  const wanted = process.env["ORDINAL_NIGHTLY"] === "1" ? nightly : usual;
  return Math.min(wanted, Number(process.env["ORDINAL_PROPERTY_RUNS_MAX"] ?? wanted));
}
