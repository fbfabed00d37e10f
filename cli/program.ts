/**
 * The `sluice` command line: which commands there are, and how one run goes.
 *
 * A start must be quick (`sluice version` under 150 ms), so the table below names every command with its summary, and
 * only the modules of commands whose names occur among the arguments are imported and given their flags. A command's
 * module in turn imports what it works with (yaml, maps, hubble, policy) inside its action.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { palette, wantsColor } from './terminal/color.ts';
import { EXIT, exitCodeOf, sentenceOf } from './terminal/failure.ts';
import { type Define, example } from './terminal/help.ts';
import { asWritten } from './terminal/habits.ts';
import type { Host } from './terminal/host.ts';
import { withGlobals } from './terminal/settings.ts';
import { VERSION } from '../linux/version.ts';

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly group: string;
  readonly load: () => Promise<Define>;
}

const RUN = 'Running:';
const OBJECTS = 'Objects and policies:';
const INSPECT = 'Inspecting:';
const WATCH = 'Watching traffic:';
const SHELL = 'Other:';

/** Every command, in the order of `sluice --help`. */
export const COMMANDS: readonly CommandEntry[] = [
  entry(RUN, 'daemon', 'Run the agent in the foreground', async () => (await import('./commands/daemon.ts')).define),
  entry(
    RUN,
    'status',
    'Show the health of the agent, dataplane and ports',
    async () => (await import('./commands/status.ts')).define,
  ),
  entry(
    RUN,
    'health',
    'Show whether processes run and pods answer',
    async () => (await import('./commands/health.ts')).define,
  ),
  entry(RUN, 'rig', 'Raise or end a rig of network namespaces', async () => (await import('./commands/rig.ts')).define),
  entry(RUN, 'run', 'Run a program in a new pod', async () => (await import('./commands/run.ts')).define),
  entry(
    RUN,
    'exec',
    "Run a program in a pod's network namespace",
    async () => (await import('./commands/exec.ts')).define,
  ),
  entry(RUN, 'logs', "Show the output of a rig's containers", async () => (await import('./commands/logs.ts')).define),
  entry(
    RUN,
    'cleanup',
    'Remove all that a dead instance left behind',
    async () => (await import('./commands/cleanup.ts')).define,
  ),
  entry(
    RUN,
    'cni',
    'Install the plugin that container runtimes start',
    async () => (await import('./commands/cni.ts')).define,
  ),
  entry(
    RUN,
    'install',
    'Print the manifests that run Sluice in a cluster',
    async () => (await import('./commands/install.ts')).defineInstall,
  ),
  entry(
    RUN,
    'uninstall',
    'Print the manifests that take Sluice out of a cluster',
    async () => (await import('./commands/install.ts')).defineUninstall,
  ),
  entry(
    OBJECTS,
    'apply',
    'Create or change objects from manifests',
    async () => (await import('./commands/apply.ts')).defineApply,
  ),
  entry(
    OBJECTS,
    'create',
    'Create objects that are not there yet',
    async () => (await import('./commands/apply.ts')).defineCreate,
  ),
  entry(OBJECTS, 'diff', 'Show what apply would change', async () => (await import('./commands/apply.ts')).defineDiff),
  entry(OBJECTS, 'edit', 'Change objects in an editor', async () => (await import('./commands/edit.ts')).defineEdit),
  entry(
    OBJECTS,
    'delete',
    'Delete objects by manifest or by name',
    async () => (await import('./commands/delete.ts')).define,
  ),
  entry(OBJECTS, 'get', 'List objects', async () => (await import('./commands/get.ts')).define),
  entry(
    OBJECTS,
    'describe',
    'Show an object with what is known of it here',
    async () => (await import('./commands/edit.ts')).defineDescribe,
  ),
  entry(
    OBJECTS,
    'expose',
    'Make a Service for pods that are there',
    async () => (await import('./commands/expose.ts')).define,
  ),
  entry(OBJECTS, 'label', 'Change labels', async () => (await import('./commands/edit.ts')).defineLabel),
  entry(OBJECTS, 'annotate', 'Change annotations', async () => (await import('./commands/edit.ts')).defineAnnotate),
  entry(
    OBJECTS,
    'scale',
    'Change how many pods there are',
    async () => (await import('./commands/edit.ts')).defineScale,
  ),
  entry(OBJECTS, 'wait', 'Wait for a condition', async () => (await import('./commands/edit.ts')).defineWait),
  entry(
    OBJECTS,
    'kubectl',
    'Run kubectl against the Kubernetes API of the agent',
    async () => (await import('./commands/kubectl.ts')).define,
  ),
  entry(
    OBJECTS,
    'policy',
    'Look at policies, and check them offline',
    async () => (await import('./commands/policy.ts')).define,
  ),
  entry(INSPECT, 'endpoint', 'List endpoints', async () => (await import('./commands/endpoint.ts')).define),
  entry(INSPECT, 'service', 'List what services lead to', async () => (await import('./commands/service.ts')).define),
  entry(
    INSPECT,
    'fqdn',
    'Show the names and addresses that pods learnt',
    async () => (await import('./commands/fqdn.ts')).define,
  ),
  entry(INSPECT, 'identity', 'List security identities', async () => (await import('./commands/identity.ts')).define),
  entry(
    INSPECT,
    'cookie',
    'Show the rules behind a map entry',
    async () => (await import('./commands/cookie.ts')).define,
  ),
  entry(
    INSPECT,
    'bpf',
    'Read the pinned maps, with or without the daemons',
    async () => (await import('./commands/bpf.ts')).define,
  ),
  entry(INSPECT, 'map', 'List the pinned maps', async () => (await import('./commands/map.ts')).define),
  entry(
    INSPECT,
    'bugtool',
    'Gather an archive for whoever looks for a fault',
    async () => (await import('./commands/bugtool.ts')).define,
  ),
  entry(WATCH, 'hubble', "Flows by Hubble's words", async () => (await import('./commands/hubble.ts')).define),
  entry(WATCH, 'observe', 'Show flows as Hubble does', async () => (await import('./commands/observe.ts')).define),
  entry(WATCH, 'drops', 'Show what is dropped, and why', async () => (await import('./commands/drops.ts')).define),
  entry(WATCH, 'flows', 'Explain recorded flows', async () => (await import('./commands/flows.ts')).define),
  entry(
    WATCH,
    'monitor',
    'Show dataplane events as they happen',
    async () => (await import('./commands/monitor.ts')).define,
  ),
  entry(
    WATCH,
    'capture',
    'Record frames of pods into a pcapng file',
    async () => (await import('./commands/capture.ts')).define,
  ),
  entry(
    WATCH,
    'record',
    'Record frames of chosen flows, with their verdicts',
    async () => (await import('./commands/record.ts')).define,
  ),
  entry(SHELL, 'version', 'Show the version', async () => (await import('./commands/version.ts')).define),
  entry(
    SHELL,
    'completion',
    'Print a completion script for a shell',
    async () => (await import('./commands/completion.ts')).define,
  ),
  entry(
    SHELL,
    'shims',
    'Make hubble, cilium and kubectl-sluice lead here',
    async () => (await import('./commands/shims.ts')).define,
  ),
  entry('', '__complete', 'List completions of a command line', async () => {
    const { defineComplete } = await import('./commands/completion.ts');
    return (command, host) => defineComplete(command, host, (words) => buildProgram(host, words));
  }),
];

function entry(group: string, name: string, summary: string, load: () => Promise<Define>): CommandEntry {
  return { group, name, summary, load };
}

/**
 * Builds the program.
 * @param words the arguments of this run: only commands named among them get their flags; 'all' gives all of them theirs
 */
export async function buildProgram(host: Host, words: readonly string[] | 'all'): Promise<Command> {
  const program = new Command('sluice')
    .description('Enforce and explain Kubernetes and Cilium network policies on this machine.')
    .usage('[flags] <command>')
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(see `sluice --help`)')
    .configureHelp({ subcommandTerm: (command) => command.name(), sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(text),
      getOutHelpWidth: () => host.stdout.columns ?? 100,
      getErrHelpWidth: () => host.stderr.columns ?? 100,
    })
    .helpCommand('help [command]', 'Show help for a command')
    .version(`sluice ${VERSION}`, '--version', 'print the version');
  withGlobals(program);
  example(
    program,
    'sluice apply -f examples/default-deny-ingress/policies/',
    'sluice observe --follow --verdict DROPPED',
  );
  program.addHelpText('after', EXIT_CODES);
  for (const { name, summary, group, load } of COMMANDS) {
    const command = program
      .command(name, { hidden: group === '' })
      .summary(summary)
      .description(`${summary}.`);
    if (group !== '') command.helpGroup(group);
    if (words === 'all' || words.includes(name)) (await load())(command, host);
    withHint(command, `sluice ${name}`);
  }
  return program;
}

/** A wrong usage is told with the command whose help says what is right. */
function withHint(command: Command, path: string): void {
  command.showHelpAfterError(`(see \`${path} --help\`)`);
  for (const one of command.commands) withHint(one, `${path} ${one.name()}`);
}

const EXIT_CODES = `
Exit codes:
  0  done                    3  the daemon cannot be reached
  1  failed, or invalid      126, 127, 128+n and others: those of the program that exec ran
  2  wrong usage`;

/** `help rig up` as `rig up --help`, for commander's own `help` knows the first word only; `help foo` as `foo`, an error. */
function helpAsFlag(argv: readonly string[]): readonly string[] {
  if (argv[0] !== 'help' || argv.length === 1) return argv;
  const words = argv.slice(1);
  return COMMANDS.some(({ name }) => name === words[0]) ? [...words, '--help'] : words;
}

/**
 * Runs one command line.
 * @param argv without the program and script names
 * @returns the exit code
 */
export async function run(argv: readonly string[], host: Host): Promise<number> {
  try {
    const words = helpAsFlag(asWritten(argv));
    const program = await buildProgram(host, words);
    await program.parseAsync(words, { from: 'user' });
    return host.exitCode;
  } catch (error) {
    // What commander says itself it has printed; a parser called from an action has not.
    const isUsage = error instanceof CommanderError;
    if (isUsage && !(error instanceof InvalidArgumentError)) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    const { red } = palette(wantsColor('auto', host.stderr, host.env));
    host.stderr.write(`${red('error:')} ${sentenceOf(error)}\n`);
    return isUsage ? EXIT.USAGE : exitCodeOf(error);
  }
}
