/** The command reference, docs/cli.md, made from the commands themselves; a test keeps the file as this says. */
import type { Command, Option } from 'commander';
import { COMMANDS } from './program.ts';

const HEAD = `# The command reference

Made from the commands themselves: \`UPDATE=1 node dist/cli/output.test.js\` writes this page anew.

\`sluice\` talks to the agent over \`<run dir>/sluice.sock\`. \`sluice bpf\`, \`map\`, \`monitor\` and \`capture\` read pinned maps,
event rings, the agent's journal and interfaces themselves, and work when both daemons are dead; \`sluice policy\` works
without any daemon, but for \`policy get\`.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the command failed, or found something invalid |
| 2 | wrong usage |
| 3 | the daemon cannot be reached, or does not answer in time |
| 126, 127 | \`exec\`: the program is not executable, not found |
| others | \`exec\`: the program's own; 128+n when signal n ended it |

Every command that prints a list takes \`-o json\`, \`-o yaml\` and \`-o jsonpath=TEMPLATE\`; colours come on a terminal only, unless
\`--color\` says otherwise, and never with \`NO_COLOR\`.

`;

/**
 * The page, for tests.
 * @param program with every command defined: buildProgram(host, 'all')
 */
export function reference(program: Command): string {
  const shared = new Set(program.options.map((option) => option.long));
  const sections = [`${HEAD}## Flags of every command\n\n${optionTable(program.options)}`];
  for (const { name, group } of COMMANDS) {
    const command = program.commands.find((one) => one.name() === name);
    if (group !== '' && command !== undefined) sections.push(...sectionsOf(command, 'sluice', shared));
  }
  return sections.join('\n');
}

function sectionsOf(command: Command, parent: string, shared: ReadonlySet<string | undefined>): string[] {
  const path = `${parent} ${command.name()}`;
  const own = command.options.filter((option) => !option.hidden && !shared.has(option.long));
  const lines = [`${parent === 'sluice' ? '##' : '###'} ${path}\n`, `${command.description()}\n`];
  if (command.commands.length === 0) lines.push('```', `${path} ${command.usage()}`, ...examplesOf(command), '```\n');
  const described = command.registeredArguments.filter(({ description }) => description !== '');
  for (const argument of described) lines.push(`- \`${argument.name()}\`: ${escapePipes(argument.description)}`);
  if (described.length > 0) lines.push('');
  if (own.length > 0) lines.push(optionTable(own));
  const children = command.commands.filter((child) => child.name() !== 'help');
  return [lines.join('\n'), ...children.flatMap((child) => sectionsOf(child, path, shared))];
}

/** The example lines of a command's help, which is where they are kept. */
function examplesOf(command: Command): string[] {
  const kept = command.configureOutput();
  let text = '';
  command.configureOutput({
    ...kept,
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  command.configureOutput(kept);
  return [...text.matchAll(/^ {2}\$ (.*)$/gm)].map(([, line]) => line);
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map(({ flags, description, argChoices }) => {
    const choices =
      argChoices === undefined || description === argChoices.join('|') ? '' : ` (${argChoices.join(', ')})`;
    return `| \`${escapePipes(flags)}\` | ${escapePipes(description)}${choices} |`;
  });
  return `| flag | meaning |\n|---|---|\n${rows.join('\n')}\n`;
}

function escapePipes(text: string): string {
  return text.replaceAll('|', '\\|');
}
