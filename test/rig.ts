/**
 * A Sluice instance of a test's own: its name, run directory, address ranges and namespaces meet nobody else's, so that
 * rigs run side by side.
 *
 *   test ── HTTP over <runDir>/sluice.sock ── sluiced ── sluice-dataplane
 *                                               │            │
 *                                    <prefix><namespace>-<pod>, one network namespace each
 *
 * Lifecycle: start() writes the configuration, starts the agent and waits for its API; stop() ends it by SIGTERM and
 * waits; what the agent should have removed and did not is left for scripts/leaks to find. The Cleanup given to start()
 * ends the agent also when the test dies.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { agentSocket, hubbleSocket } from '../api/sockets.ts';
import { listRigs } from '../cli/rig/rig-state.ts';
import { PACKAGE_ROOT } from '../linux/package-root.ts';
import { programPath } from '../linux/programs.ts';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Background,
  type Cleanup,
  inNetns,
  makeNetns,
  type Outcome,
  PATIENCE_MS,
  type RunOptions,
  run,
  start,
  waitFor,
} from './command.ts';

const ROOT = PACKAGE_ROOT;
const CLI = programPath('sluice');

/**
 * The start of addresses in a /24 and a /64 that no other test has at this moment, for instances in the machine's own
 * network namespace: two with one range would be in each other's way there. 10.128.0.0/10 by process id.
 */
export const OWN_RANGE = ((number: number) => {
  const [high, low] = [128 + ((number >> 8) & 63), number & 255];
  return { ipv4: `10.${high}.${low}`, ipv6: `fd00:${high}:${low}` };
})(process.pid);

export interface InstanceOptions {
  /** At most ten characters; prefixes interfaces and names the run directory. */
  name: string;
  cleanup: Cleanup;
  /** Default: those of OWN_RANGE. */
  podCIDR4?: string;
  podCIDR6?: string;
  netnsPrefix?: string;
  /** Namespace to run the agent in, as its host; default: this process's own. */
  netns?: string;
  /** Whether the agent makes the pods' namespaces itself. */
  createNamespaces?: boolean;
  /** Further lines of sluice.yaml. */
  config?: string;
  /** Top of another built tree, whose agent is run; default: this one. */
  programs?: string | undefined;
  /** What Node is told before the agent's program, and in its environment: for measuring. */
  node?: { readonly flags: readonly string[]; readonly env: Record<string, string> };
}

/** A name server is another process and another namespace: what a test asks for. */
const NO_DNS = 'dns: { enabled: false }\n';

/** For tests with toFQDNs that are not about time: on a busy machine an agent may take longer than the 100 ms that answers wait. */
export const PATIENT_NAMES = 'policy: { tofqdns-proxy-response-max-delay: 10s }\n';

/** A test touches no interface of the machine that it runs on: the way out is what a test asks for. */
const NO_UPLINK = 'uplink: { mode: none }\n';

/** An answer of the agent's API. */
export interface Answer {
  status: number;
  text: string;
}

/** A running agent with its dataplane. */
export class SluiceInstance {
  readonly runDir: string;
  readonly configFile: string;
  readonly netnsPrefix: string;
  agent: Background;
  readonly #netns: string | undefined;
  readonly #programs: string | undefined;
  readonly #node: InstanceOptions['node'];
  #isStopped = false;

  private constructor(runDir: string, configFile: string, netnsPrefix: string, options: InstanceOptions) {
    this.#netns = options.netns;
    this.#programs = options.programs;
    this.#node = options.node;
    this.runDir = runDir;
    this.configFile = configFile;
    this.netnsPrefix = netnsPrefix;
    this.agent = this.#startAgent();
  }

  static async start(options: InstanceOptions): Promise<SluiceInstance> {
    const dir = mkdtempSync(join(tmpdir(), `${options.name}-`));
    options.cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
    const configFile = join(dir, 'sluice.yaml');
    const runDir = `/run/${options.name}`;
    const netnsPrefix = options.netnsPrefix ?? '';
    const lacks = (option: string) => !new RegExp(`^${option}:`, 'm').test(options.config ?? '');
    writeFileSync(
      configFile,
      `name: ${options.name}
runDir: ${runDir}
netnsPrefix: '${netnsPrefix}'
createNamespaces: ${options.createNamespaces ?? false}
podCIDRs:
  ipv4: '${options.podCIDR4 ?? `${OWN_RANGE.ipv4}.0/24`}'
  ipv6: '${options.podCIDR6 ?? `${OWN_RANGE.ipv6}::/64`}'
${lacks('uplink') ? NO_UPLINK : ''}${lacks('dns') ? NO_DNS : ''}${options.config ?? ''}
`,
    );
    const instance = new SluiceInstance(runDir, configFile, netnsPrefix, options);
    options.cleanup.add(() => instance.#stopAtOnce());
    await instance.untilServing();
    return instance;
  }

  /**
   * The same in a host of its own, the namespace `<name>-host`. Its pods are in <name>-<namespace>-<pod>, with addresses of
   * 10.244.0.0/16 and fd00:10:244::/64.
   * @param config further lines of sluice.yaml
   */
  static async onHost(name: string, cleanup: Cleanup, config = ''): Promise<SluiceInstance> {
    const netns = `${name}-host`;
    await makeNetns(cleanup, netns);
    const ranges = { podCIDR4: '10.244.0.0/16', podCIDR6: 'fd00:10:244::/64' };
    return SluiceInstance.start({ name, cleanup, netns, netnsPrefix: `${name}-`, ...ranges, config });
  }

  /**
   * The same with the rig of a file of manifests.
   * @throws Error when the rig does not come up
   */
  static async withRig(name: string, cleanup: Cleanup, manifests: string, config = ''): Promise<SluiceInstance> {
    const instance = await SluiceInstance.onHost(name, cleanup, config);
    await instance.rigUp(manifests);
    return instance;
  }

  /** Raises the rig of a file of manifests. */
  async rigUp(manifests: string): Promise<void> {
    const { code, stderr } = await this.cli('rig', 'up', '-f', manifests);
    if (code !== 0) throw new Error(`rig up: exit ${code}: ${stderr}\n${this.agent.output()}`);
  }

  /** Waits until the API answers; throws with the agent's output when it ended instead. */
  async untilServing(): Promise<void> {
    const { agent } = this;
    await waitFor('the API of sluiced to answer', async () => {
      if (agent.child.exitCode !== null) throw new Error(`sluiced ended: ${agent.output()}`);
      return (await this.call('GET', '/v1/healthz').catch(() => undefined))?.status === 200;
    }).catch((error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${agent.output()}`);
    });
  }

  /** Starts the agent again, after it was ended or killed. */
  async restartAgent(): Promise<void> {
    await this.untilAgentEnded();
    this.agent = this.#startAgent();
    await this.untilServing();
  }

  #startAgent(): Background {
    const agent = programPath('sluiced', this.#programs);
    const { flags = [], env = {} } = this.#node ?? {};
    return start(inHost([process.execPath, ...flags, agent, '--config', this.configFile], this.#netns), { env });
  }

  /** Waits until the agent is gone that was told to end or killed: until then it holds its locks. */
  async untilAgentEnded(): Promise<void> {
    const { child } = this.agent;
    await waitFor('the agent to end', () => child.exitCode !== null || child.signalCode !== null);
  }

  /** One request of the agent's API. */
  call(method: string, path: string, body = ''): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // A connection each: one that is kept is given up by the agent after some seconds, perhaps while we write.
      const options = {
        socketPath: path.startsWith('/v1/flows') ? hubbleSocket(this.runDir) : agentSocket(this.runDir),
        method,
        path,
        agent: false,
      };
      const call = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      });
      call.on('error', reject);
      call.end(body);
    });
  }

  /** One request that must succeed; its JSON. */
  async read(path: string): Promise<any> {
    const { status, text } = await this.call('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status}: ${text}`);
    return JSON.parse(text);
  }

  /** Applies or deletes documents. Throws with every problem when one is refused. */
  async send(documents: string, verb: 'apply' | 'delete' = 'apply', file = 'test'): Promise<void> {
    const { status, text } = await this.call('POST', `/v1/${verb}?file=${encodeURIComponent(file)}`, documents);
    if (status !== 200) throw new Error(`${verb} ${file}: ${status}: ${text}`);
  }

  /** The same with those of a file. */
  async apply(file: string): Promise<void> {
    await this.send(readFileSync(file, 'utf8'), 'apply', file);
  }

  async delete(file: string): Promise<void> {
    await this.send(readFileSync(file, 'utf8'), 'delete', file);
  }

  /** Waits until every named pod (`namespace/pod`) is attached and has its first policy. */
  async untilReady(pods: readonly string[], timeoutMs = PATIENCE_MS): Promise<void> {
    let missing: string[] = [];
    await waitFor(
      'endpoints to be ready',
      async () => {
        const endpoints: Endpoint[] = endpointsIn(await this.read('/v1/endpoints'));
        const ready = new Set(
          endpoints.filter((one) => one.state === 'ready').map((one) => `${one.namespace}/${one.pod}`),
        );
        missing = pods.filter((pod) => !ready.has(pod));
        return missing.length === 0;
      },
      timeoutMs,
    ).catch(async (error: unknown) => {
      const { text } = await this.call('GET', '/v1/status');
      throw new Error(`${String(error)}: not ready: ${missing.join(', ')}\n${text}\n${this.agent.output()}`);
    });
  }

  /** Flows of the agent's ring, oldest first: the `flow` of each envelope. */
  async flows(last = 1000): Promise<any[]> {
    const { text } = await this.call('GET', `/v1/flows?last=${last}`);
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    return lines.map((line) => JSON.parse(line)).flatMap((envelope) => (envelope.flow ? [envelope.flow] : []));
  }

  /** Process ids of agent and dataplane. */
  pids(): number[] {
    return [this.agent.pid, ...this.dataplanePids()];
  }

  /** Dataplane processes of this instance, found by the run directory on their command line. */
  dataplanePids(): number[] {
    const lines = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
    const ours = lines.filter((line) => line.includes('sluice-dataplane') && line.includes(this.runDir));
    return ours.map((line) => Number(line.trim().split(/\s+/)[0]));
  }

  /** Network namespace of a pod given as `namespace/pod`. */
  netnsOf(pod: string): string {
    return `${this.netnsPrefix}${pod.replace('/', '-')}`;
  }

  /** Runs a program in a pod's namespace. */
  inPod(pod: string, argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return run(inNetns(this.netnsOf(pod), argv), options);
  }

  /**
   * Runs the `sluice` command against this instance, from the top of the repository, with time for slow machines; not for
   * commands that hand arguments on to another.
   */
  cli(...args: string[]): Promise<Outcome> {
    const patience = ['--timeout', `${PATIENCE_MS}ms`];
    if (args[0] === 'rig' && args[1] === 'up' && !args.includes('--wait')) patience.push('--wait', `${PATIENCE_MS}ms`);
    return run([process.execPath, CLI, ...args, '--run-dir', this.runDir, ...patience], { cwd: ROOT });
  }

  /** Takes down every rig of this instance, ends the agent by SIGTERM, waits until it and its dataplane are gone. */
  async stop(): Promise<void> {
    if (listRigs(this.runDir).length > 0) await this.cli('rig', 'down', '--all');
    await this.agent.stop();
    await waitFor('the dataplane to end', () => this.dataplanePids().length === 0);
    this.#isStopped = true;
  }

  /** The same without waiting for anything but the agent's end, for a test that is dying. */
  #stopAtOnce(): void {
    if (this.#isStopped) return;
    const cli = (...args: string[]) => {
      const [program, ...rest] = inHost([process.execPath, CLI, ...args, '--run-dir', this.runDir], this.#netns);
      spawnSync(program, rest, { stdio: 'ignore', timeout: PATIENCE_MS });
    };
    cli('rig', 'down', '--all');
    endAndWait(this.agent.pid);
    if (existsSync(this.runDir)) cli('cleanup'); // the test had killed the agent, or it would not end
  }
}

interface Endpoint {
  namespace: string;
  pod: string;
  state: string;
}

/** The endpoints of an answer, whether it is the list or an object that holds it. */
const endpointsIn = (answer: any): Endpoint[] => (Array.isArray(answer) ? answer : answer.endpoints);

/** nsenter, not `ip netns exec`: the agent must see, and may make, namespaces where everybody sees them. */
function inHost(argv: readonly string[], netns?: string): readonly string[] {
  return netns === undefined ? argv : ['nsenter', `--net=/run/netns/${netns}`, ...argv];
}

/**
 * Ends a process and waits for it, synchronously: for use while this process is exiting. A child of ours that has ended
 * stays a zombie while we block, so its state is read rather than its existence.
 */
function endAndWait(pid: number): void {
  if (!isAlive(pid)) return;
  process.kill(pid, 'SIGTERM');
  const end = performance.now() + PATIENCE_MS;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (isAlive(pid)) {
    if (performance.now() > end) process.kill(pid, 'SIGKILL');
    Atomics.wait(pause, 0, 0, 20);
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
