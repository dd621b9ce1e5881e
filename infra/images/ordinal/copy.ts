/**
 * Copies what our program needs in an image of others (Node, its loader and libraries, the programs themselves) into a
 * volume. It is what an init container runs, and it stands in the folder that it copies, so nothing has to be named.
 */
import { cpSync, statSync } from "node:fs";

function complain(sentence: string, exitCode: number): void {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = exitCode;
}

const [target, ...more] = process.argv.slice(2);
if (target === undefined || more.length > 0) {
  complain("copy.mjs needs one argument: the folder of the volume to copy to", 2);
} else if (statSync(target, { throwIfNoEntry: false })?.isDirectory() !== true) {
  complain(`${target} is no folder; mount a volume there`, 2);
} else {
  try {
    // A container that is started once more writes the same files again.
    cpSync(import.meta.dirname, target, { recursive: true });
  } catch (error) {
    complain(`could not copy to ${target}: ${error instanceof Error ? error.message : String(error)}`, 1);
  }
}
