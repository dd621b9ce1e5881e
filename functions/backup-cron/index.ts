/** The tick of the backup schedules, once a minute: clusters of which a backup is due are looked at. */
import { BACKUP_CRON_TYPE, PING_TYPE } from "../../shared/hosts/events.ts";
import { DUE_BACKUPS, type EventFunction } from "../../shared/hosts/functions.ts";

export const eventFunction: EventFunction = {
  name: "backup-cron",
  on: "tick",
  accepts: [PING_TYPE, BACKUP_CRON_TYPE],
  handle: () => DUE_BACKUPS,
};
