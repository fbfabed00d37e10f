/** The examples of every command's help, which docs/cli.md shows, are command lines that the commands take. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, CommanderError } from 'commander';
import t from 'tap';
import { PACKAGE_ROOT } from '../linux/package-root.ts';
import { testHost } from '../test/cli-host.ts';
import { buildProgram } from './program.ts';
import { shimmed } from './shim.ts';
import { asWritten } from './terminal/habits.ts';

/** Of each fenced block but the first line, which is the usage. */
function examples(): string[] {
  const page = readFileSync(join(PACKAGE_ROOT, 'docs/cli.md'), 'utf8');
  const blocks = [...page.matchAll(/^```\n(.*?)^```$/gms)].map(([, body]) => body.trim().split('\n'));
  return blocks.flatMap(([, ...lines]) => lines);
}

/** The commands of a shell's line that are ours: without variables before them, files behind them, and quotes. */
function commandsOf(line: string): string[][] {
  const words = line.replace(/^source <\((.*)\)$/, '$1').match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  const commands: string[][] = [[]];
  for (const [at, word] of words.entries()) {
    if (['|', '||', '&&'].includes(word)) commands.push([]);
    else if (word.endsWith(';')) {
      if (words[at - 1] !== '>') commands.at(-1)?.push(word.slice(0, -1));
      commands.push([]);
    } else if (word !== '>' && words[at - 1] !== '>' && !/^[A-Z_]+=/.test(word))
      commands.at(-1)?.push(word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'));
  }
  return commands.filter(([program]) => program === 'sluice' || shimmed(program ?? '', []) !== undefined);
}

/** Commands say what is wrong with their words, and do nothing. */
function disarm(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  if (command.commands.length === 0) command.action(() => undefined);
  for (const child of command.commands) disarm(child);
}

t.test('every example is a command line that its command takes', async (t) => {
  const lines = examples();
  t.ok(lines.length > 80, `${lines.length} examples`);
  for (const line of lines) {
    const commands = commandsOf(line);
    t.ok(commands.length > 0, line);
    for (const [name, ...words] of commands) {
      const other = shimmed(name, words);
      const argv = other !== undefined && 'argv' in other ? other.argv : words;
      const program = await buildProgram(testHost().host, 'all');
      disarm(program);
      try {
        await program.parseAsync(asWritten(argv), { from: 'user' });
        t.pass(line);
      } catch (error) {
        t.fail(`${line}: ${error instanceof CommanderError ? error.message : String(error)}`);
      }
    }
  }
});
