// The manual: pages made of what --help, the command reference and docs/configuration.md are made of.
//   sluice(8), sluice-COMMAND(8) from the commands; sluiced(8) from its --help; sluice.yaml(5) from the schema
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './tree.mjs';

const load = (path) => import(pathToFileURL(join(ROOT, 'dist', path)).href);

/** Name of each page's file -> its text. */
export async function manualPages(version, epochSec) {
  const { buildProgram, COMMANDS } = await load('cli/program.js');
  const { OPTIONS } = await load('daemon/config/schema.js');
  const sink = { write: () => true };
  const program = await buildProgram({ stdout: sink, stderr: sink, stdin: process.stdin, env: {}, exitCode: 0 }, 'all');
  const date = new Date(epochSec * 1000).toISOString().slice(0, 10);
  const head = (name, section, summary) =>
    `.TH ${quoted(name.toUpperCase())} ${section} ${date} "Sluice ${version}" "Sluice"\n.SH NAME\n${escaped(name)} \\- ${escaped(summary)}\n`;
  const shown = COMMANDS.filter(({ group }) => group !== '').map(({ name }) =>
    program.commands.find((one) => one.name() === name),
  );
  const pages = new Map();
  pages.set('sluice.8', head('sluice', 8, 'network policies on the pods of this machine') + mainPage(program, shown));
  for (const command of shown) {
    const name = `sluice-${command.name()}`;
    pages.set(
      `${name}.8`,
      head(name, 8, command.summary() || command.description()) + commandPage(command, 'sluice', '.SH'),
    );
  }
  const help = execFileSync(process.execPath, [join(ROOT, 'dist/bin/sluiced.cjs'), '--help'], { encoding: 'utf8' });
  pages.set('sluiced.8', head('sluiced', 8, 'the agent of Sluice') + helpPage(help));
  pages.set('sluice.yaml.5', head('sluice.yaml', 5, 'configuration of sluiced') + configurationPage(OPTIONS));
  return pages;
}

function mainPage(program, commands) {
  const items = commands.map((one) => item(`sluice-${one.name()}(8)`, one.summary() || one.description()));
  return (
    `.SH SYNOPSIS\n.B sluice\n.I COMMAND\n[\\fIFLAGS\\fR]\n.SH DESCRIPTION\n${paragraphs(program.description())}` +
    `.SH COMMANDS\n${items.join('')}.SH FLAGS OF EVERY COMMAND\n${optionItems(program.options)}` +
    '.SH EXIT STATUS\n' +
    [
      ['0', 'done'],
      ['1', 'failed, or found something invalid'],
      ['2', 'wrong usage'],
      ['3', 'the daemon cannot be reached'],
      ['126, 127, 128+n', 'of what exec ran'],
    ]
      .map(([code, meaning]) => item(code, meaning))
      .join('') +
    SEE_ALSO
  );
}

function commandPage(command, parent, heading) {
  const path = `${parent} ${command.name()}`;
  const children = command.commands.filter((child) => child.name() !== 'help');
  const own = command.options.filter(({ hidden }) => !hidden);
  const named = command.registeredArguments.filter(({ description }) => description !== '');
  const usage =
    children.length === 0
      ? `${heading === '.SH' ? '.SH SYNOPSIS\n' : ''}.B ${escaped(path)}\n${escaped(command.usage())}\n`
      : '';
  const text = `${heading === '.SH' ? '.SH DESCRIPTION\n' : '.PP\n'}${paragraphs(command.description())}`;
  const flags = [...named.map((one) => item(one.name(), one.description)), optionItems(own)].join('');
  const examples = examplesOf(command);
  return [
    usage,
    text,
    flags === '' ? '' : `${heading === '.SH' ? '.SH OPTIONS\n' : ''}${flags}`,
    ...children.map(
      (child) => `.SH ${escaped(`${path} ${child.name()}`.toUpperCase())}\n${commandPage(child, path, '.SS')}`,
    ),
    examples.length === 0
      ? ''
      : `${heading === '.SH' ? '.SH' : '.SS'} EXAMPLES\n.nf\n${examples.map(escaped).join('\n')}\n.fi\n`,
    heading === '.SH' ? SEE_ALSO : '',
  ].join('');
}

const SEE_ALSO = '.SH SEE ALSO\nsluice(8), sluiced(8), sluice.yaml(5)\n';

/** The example lines of a command's help. */
function examplesOf(command) {
  const kept = command.configureOutput();
  let text = '';
  command.configureOutput({ ...kept, writeOut: (part) => (text += part) });
  command.outputHelp();
  command.configureOutput(kept);
  return [...text.matchAll(/^ {2}\$ (.*)$/gm)].map(([, line]) => line);
}

/** A help text as it stands: usage, paragraphs, and lines of `  --flag  meaning`. */
function helpPage(help) {
  const [usage, ...rest] = help.trim().split('\n\n');
  const flags = [];
  const text = [];
  for (const part of rest) {
    if (/^ {2}-/.test(part))
      for (const line of part.split('\n')) {
        const [, flag, meaning] = /^ {2}(-.*?)(?: {2,}(.*))?$/.exec(line) ?? [];
        if (flag === undefined) flags.at(-1).meaning += ` ${line.trim()}`;
        else flags.push({ flag, meaning: meaning ?? '' });
      }
    else text.push(part.replace(/\n/g, ' '));
  }
  return (
    `.SH SYNOPSIS\n${escaped(usage.replace(/^Usage: /, ''))}\n.SH DESCRIPTION\n${text.map((one) => `.PP\n${escaped(one)}\n`).join('')}` +
    `.SH OPTIONS\n${flags.map(({ flag, meaning }) => item(flag, meaning)).join('')}` +
    '.SH FILES\n' +
    item('/etc/sluice/sluice.yaml', 'the configuration, see sluice.yaml(5)') +
    item('/run/sluice', 'sockets, maps and state') +
    SEE_ALSO
  );
}

function configurationPage(options) {
  return (
    '.SH DESCRIPTION\nWhat sluiced reads at its start and, in parts, upon SIGHUP: YAML, in which every option has a default. ' +
    'An option of a group is written below it. \\fBsluiced \\-\\-check\\fR says what is wrong.\n' +
    `.SH OPTIONS\n${optionsOf(options, '')}.SH EXAMPLE\n.nf\n${escaped('name: lab\nmanifests: /etc/sluice/manifests\npodCIDRs: { ipv4: 10.80.0.0/16 }\npolicy: { enable-policy: always }')}\n.fi\n${SEE_ALSO}`
  );
}

function optionsOf(options, prefix) {
  return Object.entries(options)
    .map(([name, option]) => {
      const path = `${prefix}${name}`;
      const meaning = option.meaning.replace(/\[([^\]]+)\]\(([^)]+)\)/g, '$1').replaceAll('`', '');
      if (option.type === 'map') return item(`${path}:`, meaning) + optionsOf(option.options ?? {}, `${path}.`);
      const fallback = Array.isArray(option.fallback) ? JSON.stringify(option.fallback) : String(option.fallback ?? '');
      const values =
        option.values === undefined ? '' : ` One of ${option.values.map((word) => word || '(nothing)').join(', ')}.`;
      const range = option.type === 'integer' ? ` From ${option.min} to ${option.max}.` : '';
      return item(
        path,
        `${meaning}.${values}${range}${fallback === '' || option.type === 'commands' ? '' : ` Default: ${fallback}.`}`,
      );
    })
    .join('');
}

function optionItems(options) {
  return options
    .filter(({ hidden }) => !hidden)
    .map(({ flags, description }) => item(flags, description))
    .join('');
}

const item = (term, text) => `.TP\n.B ${escaped(term)}\n${escaped(text)}\n`;
const quoted = (text) => `"${escaped(text)}"`;
const paragraphs = (text) =>
  text
    .split(/\n\n+/)
    .map((one) => `${escaped(one.replace(/\s*\n\s*/g, ' '))}\n`)
    .join('.PP\n');

/** What troff would take for its own. */
function escaped(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
    .replace(/[^\x00-\x7f]/gu, (sign) => `\\[u${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);
}
