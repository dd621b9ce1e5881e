/**
 * What a word on the command line may go on as: known from the commands themselves, and of clusters from the API server. The
 * answer has the form that kubectl wants of its plugins: a line for each candidate, and `:4` for "no names of files".
 */
import type { Command, Option } from "commander";
import type { Options } from "./command-line.ts";

export interface Candidate {
  readonly word: string;
  readonly about?: string;
}

interface Place {
  readonly command: Command;
  /** How many arguments are there already. */
  readonly arguments: number;
  /** Its value is what comes next. */
  readonly option: Option | null;
  readonly given: Options;
}

function placeAfter(program: Command, words: readonly string[]): Place {
  let [command, count]: [Command, number] = [program, 0];
  let option: Option | null = null;
  const given: Record<string, string> = {};
  for (const word of words) {
    if (option !== null) {
      given[option.attributeName()] = word;
      option = null;
    } else if (word.startsWith("-")) {
      const known = command.options.find(({ short, long }) => word === short || word === long);
      option = known?.required === true ? known : null;
    } else {
      const inner = count === 0 ? command.commands.find((one) => one.name() === word) : undefined;
      if (inner === undefined) count += 1;
      command = inner ?? command;
    }
  }
  return { command, arguments: count, option, given };
}

const ofChoices = (choices: readonly string[] | undefined): readonly Candidate[] =>
  (choices ?? []).map((word) => ({ word }));

/** `words`: after the program's name; the last one is not complete, and may be empty. */
export async function candidates(
  program: Command,
  words: readonly string[],
  setsOf: (options: Options) => Promise<readonly string[]>,
): Promise<readonly Candidate[]> {
  const last = words.at(-1) ?? "";
  const { command, arguments: count, option, given } = placeAfter(program, words.slice(0, -1));
  async function all(): Promise<readonly Candidate[]> {
    if (option !== null) return ofChoices(option.argChoices);
    if (last.startsWith("-")) {
      return command.options.map(({ long, short, description }) => ({
        word: long ?? short ?? "",
        about: description,
      }));
    }
    const inner = count === 0 ? command.createHelp().visibleCommands(command) : [];
    const commands = inner.map((one) => ({ word: one.name(), about: one.description() }));
    const argument = command.registeredArguments[count];
    const names = argument?.name() === "name" ? await setsOf(given) : argument?.argChoices;
    return [...commands, ...ofChoices(names)];
  }
  return (await all()).filter(({ word }) => word.startsWith(last));
}

export function completionText(found: readonly Candidate[]): string {
  const lines = found.map(({ word, about }) => (about === undefined ? word : `${word}\t${about}`));
  return `${[...lines, ":4"].join("\n")}\n`;
}

export const SHELLS = ["bash", "zsh", "fish", "kubectl"] as const;

/** For a shell, of the program by its own name; for kubectl the program kubectl_complete-ordinal, which it looks for. */
export const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `_kubectl_ordinal() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    [[ $line == :* ]] || COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(kubectl-ordinal __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _kubectl_ordinal kubectl-ordinal
`,
  zsh: `_kubectl_ordinal() {
  local line
  local -a found
  while IFS= read -r line; do
    [[ $line == :* ]] || found+=("\${line%%$'\\t'*}")
  done < <(kubectl-ordinal __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  compadd -a found
}
compdef _kubectl_ordinal kubectl-ordinal
`,
  fish: `function __kubectl_ordinal
  set --local words (commandline --tokenize --cut-at-cursor --current-process)
  kubectl-ordinal __complete -- $words[2..-1] (commandline --cut-at-cursor --current-token) 2>/dev/null | string match --invert ':*'
end
complete --command kubectl-ordinal --no-files --arguments '(__kubectl_ordinal)'
`,
  kubectl: `#!/bin/sh
exec kubectl-ordinal __complete -- "$@"
`,
};
