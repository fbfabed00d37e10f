/** What could come next on a `sluice` command line, for the completion scripts of shells. */
import type { Argument, Command, Option } from 'commander';

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** Looks up words that only the running instance knows, by argument name (`pod`, `endpoint`, `identity`). */
export type LiveWords = (argument: string) => Promise<readonly string[]>;

/**
 * The candidates for the last of the words.
 * @param words what is typed after `sluice`; the last one is being typed and may be ''
 * @param live asked for arguments that name something of the running instance; must not throw
 */
export async function candidates(program: Command, words: readonly string[], live: LiveWords): Promise<Candidate[]> {
  const typed = words.at(-1) ?? '';
  const place = locate(program, words.slice(0, -1));
  if (place === undefined) return [];
  const found = place.awaiting !== undefined ? optionValues(place.awaiting) : await wordsAt(place, typed, live);
  return found.filter(({ word }) => word.startsWith(typed));
}

interface Place {
  readonly command: Command;
  /** The option whose value comes next. */
  readonly awaiting: Option | undefined;
  /** How many arguments of the command are there already. */
  readonly operands: number;
}

/** Walks down the commands; undefined after `--`, where another program's words begin. */
function locate(program: Command, words: readonly string[]): Place | undefined {
  let command = program;
  let awaiting: Option | undefined;
  let operands = 0;
  for (const word of words) {
    if (word === '--') return undefined;
    if (awaiting !== undefined) {
      awaiting = undefined;
    } else if (word.startsWith('-')) {
      const option = command.options.find(({ short, long }) => word === short || word === long);
      if (option?.required === true) awaiting = option;
    } else {
      const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (next === undefined) operands++;
      else command = next;
    }
  }
  return { command, awaiting, operands };
}

async function wordsAt(place: Place, typed: string, live: LiveWords): Promise<Candidate[]> {
  const { command } = place;
  if (typed.startsWith('-')) {
    return command.options
      .filter((option) => !option.hidden)
      .map((option) => ({ word: option.long ?? option.short ?? '', description: option.description }));
  }
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command).map((one) => ({ word: one.name(), description: one.summary() }));
  const argument = argumentAt(command, place.operands);
  if (argument === undefined) return subcommands;
  const choices = argument.argChoices ?? (await live(argument.name()));
  return [...subcommands, ...choices.map((word) => ({ word, description: '' }))];
}

function argumentAt(command: Command, at: number): Argument | undefined {
  const list = command.registeredArguments;
  return list[at] ?? (list.at(-1)?.variadic === true ? list.at(-1) : undefined);
}

function optionValues(option: Option): Candidate[] {
  const values = option.argChoices ?? (option.long === '--output' ? option.description.split('|') : []);
  return values.map((word) => ({ word: word.replace(/=.*/, '='), description: '' }));
}
