/** What could come next on a `sluice` command line, for the completion scripts of shells. */
import type { Argument, Command, Option } from 'commander';

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** What the next word is, by the name of its argument or flag: `pod`, `names`, `namespace`. */
export interface Asked {
  readonly name: string;
  /** The arguments before it. */
  readonly operands: readonly string[];
  /** Value of -n, if it is typed already. */
  readonly namespace: string | undefined;
}

/** Looks up words that only the running instance knows. */
export type LiveWords = (asked: Asked) => Promise<readonly string[]>;

/**
 * The candidates for the last of the words.
 * @param words what is typed after `sluice`; the last one is being typed and may be ''
 * @param live asked for arguments that name something of the running instance; must not throw
 */
export async function candidates(program: Command, words: readonly string[], live: LiveWords): Promise<Candidate[]> {
  const typed = words.at(-1) ?? '';
  const place = locate(program, words.slice(0, -1));
  if (place === undefined) return [];
  const found = await (place.awaiting !== undefined
    ? optionValues(place.awaiting, place, live)
    : wordsAt(place, typed, live));
  return found.filter(({ word }) => word.startsWith(typed));
}

interface Place {
  readonly command: Command;
  /** The option whose value comes next. */
  readonly awaiting: Option | undefined;
  /** The arguments of the command that are there already. */
  readonly operands: readonly string[];
  readonly namespace: string | undefined;
}

/** Walks down the commands; undefined after `--`, where another program's words begin. */
function locate(program: Command, words: readonly string[]): Place | undefined {
  let command = program;
  let awaiting: Option | undefined;
  let operands: string[] = [];
  let namespace: string | undefined;
  for (const word of words) {
    if (word === '--') return undefined;
    if (awaiting !== undefined) {
      if (awaiting.long === '--namespace') namespace = word;
      awaiting = undefined;
    } else if (word.startsWith('--namespace=')) {
      namespace = word.slice('--namespace='.length);
    } else if (word.startsWith('-')) {
      const option = command.options.find(({ short, long }) => word === short || word === long);
      if (option?.required === true) awaiting = option;
    } else {
      const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (next === undefined) operands.push(word);
      else {
        command = next;
        operands = [];
      }
    }
  }
  return { command, awaiting, operands, namespace };
}

async function wordsAt(place: Place, typed: string, live: LiveWords): Promise<Candidate[]> {
  const { command } = place;
  const [flag, equals] = /^(--[a-z-]+)(=)/.exec(typed)?.slice(1) ?? [];
  if (equals !== undefined) {
    const option = command.options.find(({ long }) => long === flag);
    const values = option === undefined ? [] : await optionValues(option, place, live);
    return values.map((value) => ({ ...value, word: `${flag}=${value.word}` }));
  }
  if (typed.startsWith('-')) {
    return command.options
      .filter((option) => !option.hidden)
      .map((option) => ({ word: option.long ?? option.short ?? '', description: option.description }));
  }
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command).map((one) => ({ word: one.name(), description: one.summary() }));
  const argument = argumentAt(command, place.operands.length);
  if (argument === undefined) return subcommands;
  const choices = argument.argChoices ?? (await live({ name: argument.name(), ...place }));
  return [...subcommands, ...choices.map((word) => ({ word, description: '' }))];
}

function argumentAt(command: Command, at: number): Argument | undefined {
  const list = command.registeredArguments;
  return list[at] ?? (list.at(-1)?.variadic === true ? list.at(-1) : undefined);
}

async function optionValues(option: Option, place: Place, live: LiveWords): Promise<Candidate[]> {
  const fixed = option.argChoices ?? (option.long === '--output' ? option.description.split('|') : undefined);
  const values = fixed ?? (await live({ name: option.long?.slice(2) ?? '', ...place }));
  const isFormat = option.long === '--output';
  return values.map((word) => ({ word: isFormat ? word.replace(/=.*/, '=') : word, description: '' }));
}
