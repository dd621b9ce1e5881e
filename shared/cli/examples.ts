/** What `--help` shows below the options of each command. */
import type { Command } from "commander";

const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  adopt: [
    "adopt mysql --credentials mysql-root --dry-run",
    "adopt mysql --credentials mysql-root --wait",
    "adopt mysql --print-hook",
  ],
  approve: ["approve mysql --dry-run", "approve mysql --wait"],
  backup: ["backup mysql --wait", "backup mysql --method logical"],
  backups: ["backups mysql", "backups --store backups -o json"],
  completion: ["completion bash > ~/.kubectl-ordinal", "completion kubectl > ~/bin/kubectl_complete-ordinal"],
  doctor: ["doctor mysql", "doctor shop/mysql --as-account ordinal-system:ordinal"],
  logs: ["logs mysql --follow", "logs mysql mysql-backup-20261123020000-1"],
  pause: ["pause mysql"],
  plan: ["plan mysql", "plan mysql -o json"],
  prove: ["prove mysql --wait", "prove mysql 2026-11-23T02:00:00Z"],
  prune: ["prune mysql --dry-run", "prune mysql"],
  release: ["release mysql --dry-run", "release mysql --yes --wait"],
  restore: [
    "restore mysql --backup latest --in-place --dry-run",
    "restore mysql --time 2026-11-23T03:00:00+01:00 --in-place --wait",
    "restore undo mysql --wait",
    "restore forget mysql",
  ],
  resume: ["resume mysql --dry-run", "resume mysql"],
  scale: ["scale mysql --replicas 5 --dry-run", "scale mysql --replicas 5 --wait"],
  status: ["status", "status -A -o wide", "status shop/mysql", "status mysql --wait"],
  switchover: ["switchover mysql --to mysql-2 --dry-run", "switchover mysql --to mysql-2 --wait"],
  version: ["version", "version mysql"],
  why: ["why mysql"],
  window: ["window mysql", "window --store backups mysql"],
};

export function addExamples({ commands }: Command): void {
  for (const command of commands) {
    const lines = (EXAMPLES[command.name()] ?? []).map((line) => `  kubectl ordinal ${line}\n`);
    if (lines.length > 0) command.addHelpText("after", `\nExamples:\n${lines.join("")}`);
  }
}
