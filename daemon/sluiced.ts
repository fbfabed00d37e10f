/** sluiced: the agent. Reads its configuration, takes the lock of its run directory, and runs until it is told to end. */
import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { Agent } from './agent.ts';
import { agentLogPath, startDetached, tellReady } from './detach.ts';
import { CniAttachments } from './cni/attachments.ts';
import { KubeApi } from './kube-api/kube-api.ts';
import { RuntimeService } from './cni/runtime-service.ts';
import { apiRoutes } from './serve/routes.ts';
import { agentSocket } from '../api/sockets.ts';
import { ApiServer } from './serve/server.ts';
import { missingCapabilities } from '../linux/capabilities.ts';
import { type Config, loadConfig } from './config/config.ts';
import { requireSpace } from '../linux/disk-space.ts';
import { retireOtherLayout } from './publish/other-layout.ts';
import { type Lock, takeLock } from '../linux/lock.ts';
import { createLog, type Log } from './health/log.ts';
import { monotonicMs } from '../dataplane/native/index.ts';
import { KeptDescriptors } from './supervise/kept-descriptors.ts';
import { ServiceManager } from './supervise/service-manager.ts';
import { Signals } from '../linux/signals.ts';
import { DEFAULT_CONFIG } from '../linux/daemon-start.ts';
import { dataplaneNote, strayDataplanes } from '../linux/dataplane-process.ts';
import { agentRegistry } from './metrics/agent-metrics.ts';
import { MetricsListener } from './metrics/listener.ts';
import { kill } from '../linux/process-end.ts';
import { programPath } from '../linux/programs.ts';
import { VERSION } from '../linux/version.ts';

const HELP = `Usage: sluiced [--config FILE] [--set OPTION=VALUE]...

Enforces Kubernetes and Cilium network policies on the pods of this machine. Runs in the foreground until SIGTERM, then
removes everything it made. SIGHUP reads the configuration again; SIGUSR2 ends the agent and leaves everything in place,
forwarding included, for the next one. See docs/configuration.md for the options.

  --config FILE           configuration, YAML; default ${DEFAULT_CONFIG} if there is one
  --set OPTION=VALUE      one option, over what the file says; nested options with a dot: --set policy.enable-policy=always
  --manifests DIR         directory of manifests, watched (--set manifests=DIR)
  --name NAME             name of the instance (--set name=NAME)
  --fault FAULTS          faults on every port, such as drop=1%,delay=5ms (--set faults=FAULTS)
  --log-level LEVEL       debug, info, warn, error (--set logLevel=LEVEL)
  --detach                run in the background: return once it serves and its dataplane runs, or with the reason why not;
                          its log is <run dir>/sluiced.log
  --check                 read the configuration, say what is wrong with it, and exit
  --version
  --help
`;

const OPTIONS = {
  config: { type: 'string' },
  set: { type: 'string', multiple: true },
  manifests: { type: 'string' },
  name: { type: 'string' },
  'log-level': { type: 'string' },
  fault: { type: 'string' },
  detach: { type: 'boolean' },
  check: { type: 'boolean' },
  version: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help === true) return void process.stdout.write(HELP);
  if (values.version === true) return void process.stdout.write(`sluiced ${VERSION}\n`);
  const given = overrides(values);
  const named = values.config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined);
  const file = named === undefined ? undefined : resolve(named);
  const config = loadConfig(file, given);
  if (values.check === true) return void process.stdout.write('configuration is valid\n');
  const missing = missingCapabilities().join(', ');
  if (missing !== '') throw new Error(`it makes interfaces and namespaces: run as root (it lacks ${missing})`);
  if (values.detach === true) {
    process.exit(
      await startDetached(
        config.runDir,
        process.argv.slice(2).filter((word) => word !== '--detach'),
      ),
    );
  }
  await serve(config, createLog(config.logLevel, config.name), () => loadConfig(file, given));
}

function overrides(values: {
  set?: string[];
  manifests?: string;
  name?: string;
  'log-level'?: string;
  fault?: string;
}): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const setting of values.set ?? []) {
    const equals = setting.indexOf('=');
    if (equals < 1) throw new Error(`--set ${setting}: wanted OPTION=VALUE`);
    const text = setting.slice(equals + 1);
    given[setting.slice(0, equals)] = text === '' ? '' : (parse(text) as unknown);
  }
  if (values.manifests !== undefined) given['manifests'] = values.manifests;
  if (values.name !== undefined) given['name'] = values.name;
  if (values['log-level'] !== undefined) given['logLevel'] = values['log-level'];
  if (values.fault !== undefined) given['faults'] = values.fault;
  return given;
}

async function serve(config: Config, log: Log, reread: () => Config): Promise<void> {
  process.chdir('/'); // in a folder that is removed no thread and no process could be started
  const signals = new Signals('SIGTERM', 'SIGINT', 'SIGUSR2', 'SIGHUP');
  const lock = await takeLock(config.runDir, config.name);
  try {
    requireSpace(config.runDir);
    await run({ config, log, reread, lock, signals });
  } catch (error) {
    lock.release();
    throw error;
  }
}

interface Serving {
  readonly config: Config;
  readonly log: Log;
  readonly reread: () => Config;
  readonly lock: Lock;
  readonly signals: Signals;
}

/** Starts everything; from then on signals and the API end it. A signal that comes while it starts waits until it has. */
async function run({ config, log, reread, lock, signals }: Serving): Promise<void> {
  for (const stray of strayDataplanes(config.runDir, dataplaneNote(config.runDir).load(null))) {
    await kill(stray);
    log.warn({ dataplane: { pid: stray.pid } }, 'ended a dataplane that nobody had noted');
  }
  const retired = await retireOtherLayout(config.runDir);
  if (retired.length > 0) {
    log.warn({ files: retired }, 'tables of another version of Sluice: made anew, and connections begin again');
  }
  const dataplaneCommand = [process.execPath, programPath('sluice-dataplane'), '--run-dir', config.runDir];
  const standbyCommand = [process.execPath, programPath('sluice-standby'), '--standby', '--run-dir', config.runDir];
  const nameServer = [process.execPath, programPath('sluice-dns'), '--run-dir', config.runDir];
  const programs = { command: dataplaneCommand, standbyCommand, nameServer };
  const attachments = new CniAttachments(config.runDir);
  const manager = new ServiceManager();
  const kept = new KeptDescriptors(manager);
  const agent = new Agent({ config, log, attachments, programs, kept });
  const runtimes = new RuntimeService(agent, attachments, log);
  const kubeApi = new KubeApi({ agent, log });
  agent.kubeApi = kubeApi;
  const registry = agentRegistry(agent);
  const metrics = new MetricsListener({
    address: config['prometheus-serve-addr'],
    registry,
    log: (level, text, fields) => log[level](fields, text),
  });
  const routes = { ...apiRoutes(agent, registry, () => void finish('API', () => agent.stop())), ...runtimes.routes };
  const api = new ApiServer(agentSocket(config.runDir), routes, config.socketGroup);
  process.on('uncaughtException', (error) => {
    // Crash-only: the dataplane forwards on, and the next agent takes over what this one leaves.
    log.fatal({ error: error.message, stack: error.stack }, 'agent failed');
    process.exit(70);
  });
  const finish = once(async (why: string, end: () => Promise<void>) => {
    log.info({ why }, 'stopping');
    manager.stopping();
    await Promise.all([api.stop(), metrics.stop(), runtimes.stop()]);
    await end();
    if (why !== 'SIGUSR2') rmSync(agentLogPath(config.runDir), { force: true });
    lock.release();
    log.info('stopped');
    process.exit(0);
  });
  await start(agent, api, log);
  await kubeApi.start();
  runtimes.start();
  metrics.start();
  log.info({ runDir: config.runDir }, 'ready');
  tellReady();
  manager.ready(() => {
    kept.sync();
    return stateFor(agent);
  });
  signals.listen((signal) => {
    if (signal === 'SIGHUP') manager.reload(monotonicMs(), () => reload(agent, log, reread));
    else void finish(signal, () => (signal === 'SIGUSR2' ? agent.leave() : agent.stop()));
  });
}

async function start(agent: Agent, api: ApiServer, log: Log): Promise<void> {
  try {
    await agent.start();
    await api.start();
  } catch (error) {
    // What an earlier agent left may be carrying traffic: only what was made just now is taken away.
    await (agent.isFirst ? agent.stop() : agent.leave()).catch((second: unknown) => {
      log.error({ error: (second as Error).message }, 'not all is removed: see `sluice cleanup`');
    });
    throw error;
  }
}

/** What systemd is told: whether the dataplane gives signs of life, and a line about the whole. */
function stateFor(agent: Agent): { isWell: boolean; status: string } {
  const [first, ...others] = agent.problems();
  const pods = [...agent.reconciler.pods.values()];
  const ready = pods.filter((pod) => agent.states.of(pod) === 'ready').length;
  const problem = others.length === 0 ? first : `${first} (and ${others.length} more)`;
  return {
    isWell: agent.supervisor.problem() === '',
    status: `${ready}/${pods.length} endpoints ready, ${first === undefined ? 'no problems' : problem}`,
  };
}

function reload(agent: Agent, log: Log, reread: () => Config): void {
  try {
    agent.reload(reread());
  } catch (error) {
    log.error({ error: (error as Error).message }, 'configuration not read again');
  }
}

/** The first call counts; a signal during the stop changes nothing. */
function once<T extends unknown[]>(work: (...given: T) => Promise<void>): (...given: T) => Promise<void> {
  let running: Promise<void> | undefined;
  return (...given) => (running ??= work(...given));
}

/** Exit code of wrong usage, as that of the command line tool. */
const USAGE = 2;
/** What to do about an error, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  ERR_MAP_FORMAT: ': it is not of this Sluice: remove it, or everything with `sluice cleanup`',
  ERR_PARSE_ARGS_UNKNOWN_OPTION: ' (see sluiced --help)',
  ERR_PARSE_ARGS_INVALID_OPTION_VALUE: ' (see sluiced --help)',
  ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL: ' (see sluiced --help)',
};

main().catch((error: unknown) => {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const lines = `${message}${ADVICE[code] ?? ''}`.split('\n');
  process.stderr.write(lines.map((line) => `sluiced: ${line}\n`).join(''));
  process.exit(code.startsWith('ERR_PARSE_ARGS') ? USAGE : 1);
});
