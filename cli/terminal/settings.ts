/** The flags every command shares, and what they amount to together with the environment. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { durationMs } from './argument.ts';
import { type ColorMode, type Palette, palette, wantsColor } from './color.ts';
import { agentSocket } from '../../api/sockets.ts';
import { isAgentStarting } from '../../linux/daemon-start.ts';
import type { Host } from './host.ts';

/** Instance whose run directory is used when nothing is said. */
const DEFAULT_INSTANCE = 'sluice';
/** How long the daemon may take to answer, when nothing is said. */
const DEFAULT_TIMEOUT_MS = 5000;

/** `table`, `wide`, `json`, `yaml`, `name`, or `jsonpath=TEMPLATE`; a few commands have more. */
export type OutputFormat = string;

export interface Settings {
  readonly host: Host;
  /** Where the instance keeps its socket, pinned maps, journal and logs. */
  readonly runDir: string;
  readonly socketPath: string;
  readonly output: OutputFormat;
  /** False with --no-headers. */
  readonly headers: boolean;
  readonly timeoutMs: number;
  /** Whether an agent was just started, whose socket is to be waited for. */
  readonly isStarting: () => boolean;
  readonly color: ColorMode;
  /** Paints standard output, or not. */
  readonly paint: Palette;
}

/** Adds the flags that every command takes; one that has a --name of its own has the instance's before the command. */
export function withGlobals(command: Command): Command {
  command
    .optionsGroup('Global options:')
    .addOption(new Option('--run-dir <dir>', 'run directory of the instance (env SLUICE_RUN_DIR; default /run/NAME)'));
  if (!command.options.some(({ long }) => long === '--name'))
    command.addOption(new Option('--name <name>', 'instance name (env SLUICE_NAME; default sluice)'));
  return command
    .addOption(new Option('--color <when>', 'colours').choices(['auto', 'always', 'never']))
    .addOption(new Option('--timeout <duration>', 'how long the daemon may take (default 5s)').argParser(durationMs));
}

/**
 * Adds -o and --no-headers.
 * @param formats besides json, yaml and jsonpath=TEMPLATE
 */
export function withOutput(command: Command, ...formats: string[]): Command {
  const known = [...formats, 'json', 'yaml', 'jsonpath=TEMPLATE'];
  const parse = (text: string): string => {
    if (known.includes(text) && !text.includes('=')) return text;
    // What is written with a value is known by what goes before it.
    const equals = text.indexOf('=') + 1;
    const isWithValue = equals > 0 && text.length > equals;
    if (isWithValue && known.some((format) => format.startsWith(text.slice(0, equals)))) return text;
    throw new InvalidArgumentError(`wanted one of ${known.join(', ')}.`);
  };
  return command
    .optionsGroup('Output:')
    .addOption(new Option('-o, --output <format>', known.join('|')).argParser(parse))
    .option('--no-headers', 'leave the header line out');
}

/** `client`: without the agent, where the command can; `server`: the agent says what it would do. */
export type DryRun = 'none' | 'client' | 'server';

/** The flag of commands that change objects. */
export function withDryRun(command: Command): Command {
  const meaning =
    'change nothing: client checks the manifests without the agent, server has the agent say what it would do';
  return command.addOption(
    new Option('--dry-run [how]', meaning).choices(['none', 'client', 'server']).preset('client'),
  );
}

/** Reads the shared flags of a command: its own flags win over those given before the command's name. */
export function settingsOf(command: Command, host: Host): Settings {
  const flags: Record<string, unknown> = {};
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const [key, value] of Object.entries(at.opts())) flags[key] ??= value;
  }
  const { env } = host;
  const name = (flags['name'] as string | undefined) ?? nonEmpty(env['SLUICE_NAME']) ?? DEFAULT_INSTANCE;
  const named = flags['name'] === undefined ? nonEmpty(env['SLUICE_RUN_DIR']) : undefined;
  const runDir = (flags['runDir'] as string | undefined) ?? named ?? `/run/${name}`;
  const color = (flags['color'] as ColorMode | undefined) ?? 'auto';
  return {
    host,
    runDir,
    socketPath: agentSocket(runDir),
    output: (flags['output'] as string | undefined) ?? 'table',
    headers: flags['headers'] !== false,
    isStarting: () => flags['wait'] === true || isAgentStarting(runDir),
    timeoutMs: (flags['timeout'] as number | undefined) ?? DEFAULT_TIMEOUT_MS,
    color,
    paint: palette(wantsColor(color, host.stdout, env)),
  };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
