/** What every command's module gives and adds: its definition, and the examples of its help. */
import type { Command } from 'commander';
import type { Host } from './host.ts';

/** Gives a command its flags, arguments, examples and action. */
export type Define = (command: Command, host: Host) => void;

/** Adds example lines to a command's help. */
export function example(command: Command, ...lines: string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
}
