/** When something is to be done again and again: five fields of cron, read on the clocks of one time zone. */

export interface Schedule {
  /** Minute, hour, day of the month, month, day of the week; checked by shared/schedule. */
  readonly cron: string;
  /** IANA name, such as `Europe/Berlin`. */
  readonly timeZone: string;
}
