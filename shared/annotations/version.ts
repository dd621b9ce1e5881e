/** The version of a record, read before its schema: a newer one may have changed anything but the place of its number. */
export function versionOf(value: unknown): number {
  if (value === null || typeof value !== "object" || !("v" in value)) return 0;
  return Number.isSafeInteger(value.v) ? Number(value.v) : 0;
}
