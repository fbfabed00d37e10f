/**
 * What it costs to follow a Kubernetes API with a big cluster in it: CPU time of the agent, thread by thread, until everything is published; the longest time
 * for which its main thread answered nobody; and memory for each pod of another node, garbage gone, which is the difference of two
 * sizes of one run.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Background, Cleanup, start, waitFor } from '../test/command.ts';
import { SluiceInstance } from '../test/rig.ts';
import type { ProbeAnswer } from './agent-probe.ts';
import { memoryMiB, processCpuUs } from './machine.ts';
import type { Results } from './series.ts';

/** As the promise is: of other nodes. */
const PODS = 50_000;
const POLICIES = 5000;
/** Beside it, for what a pod takes. */
const FEW = 2000;
const TOUCHED = 200;
const TIMEOUT_MS = 120_000;
const KIB = 1024;

interface Told {
  readonly problems: readonly string[];
  readonly policyRevision: number;
  readonly kubernetes?: {
    readonly isKnown: boolean;
    readonly resources: readonly { isSynced: boolean; objects: number }[];
  };
}

/** A server, an agent that follows it, and who asks the agent how it is. */
class Followed {
  readonly instance: SluiceInstance;
  readonly #town: Background;
  readonly #dir: string;
  #asked = 0;

  private constructor(instance: SluiceInstance, town: Background, dir: string) {
    this.instance = instance;
    this.#town = town;
    this.#dir = dir;
  }

  static async start(cleanup: Cleanup, pods: number, policies: number): Promise<Followed> {
    const dir = mkdtempSync('/tmp/slb-kube-');
    cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
    const program = join(import.meta.dirname, 'kube-town.js');
    const town = start([
      process.execPath,
      '--max-old-space-size=2048',
      program,
      ...[pods, policies, TOUCHED].map(String),
    ]);
    cleanup.add(() => void town.child.kill('SIGKILL'));
    await waitFor('the cluster to be made', () => town.output().includes('\n'), TIMEOUT_MS);
    const server = town.output().split('\n')[0];
    const kubeconfig = join(dir, 'kubeconfig');
    const cluster = JSON.stringify({ name: 'c', cluster: { server } });
    const context = JSON.stringify({ name: 'c', context: { cluster: 'c', user: 'u' } });
    const users = '[{"name":"u","user":{}}]';
    writeFileSync(
      kubeconfig,
      `apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [${cluster}]\ncontexts: [${context}]\nusers: ${users}\n`,
    );
    mkdirSync(join(dir, 'probe'));
    const config = `kubernetes: ${kubeconfig}\nkubernetes-insecure: true\nnodeName: here\n`;
    const extra = (process.env['AGENT_FLAGS'] ?? '').split(' ').filter((one) => one !== '');
    const flags = ['--import', join(import.meta.dirname, 'agent-probe.js'), ...extra];
    const env = { PROBE_DIR: join(dir, 'probe') };
    const instance = await SluiceInstance.start({
      ...{ name: 'slbk', cleanup, netnsPrefix: 'slbk-', createNamespaces: true, podCIDR4: '10.64.0.0/16' },
      ...{ config, node: { flags, env } },
    });
    return new Followed(instance, town, dir);
  }

  /** Waits until every object is told of and in force. */
  async published(pods: number): Promise<void> {
    let last = '';
    const isThere = async (): Promise<boolean> => {
      const { kubernetes } = (await this.instance.read('/v1/status')) as Told;
      const all = kubernetes?.resources.reduce((sum, { objects }) => sum + objects, 0) ?? 0;
      last = JSON.stringify(kubernetes);
      return kubernetes?.isKnown === true && all > pods && kubernetes.resources.every(({ isSynced }) => isSynced);
    };
    await waitFor('the cluster to be known', isThere, TIMEOUT_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${last}`);
    });
    const endpoints = async (): Promise<number> => {
      const all = (await this.instance.read('/v1/endpoints')) as { state: string }[];
      return all.filter(({ state }) => state === 'ready').length;
    };
    await waitFor('pods of this node', async () => (await endpoints()) === 10, TIMEOUT_MS).catch(
      async (error: unknown) => {
        const { problems } = (await this.instance.read('/v1/status')) as Told;
        throw new Error(`${String(error)}: ${problems.join('; ').slice(0, 1000)}`);
      },
    );
  }

  /** What each thread of the agent answers that was started with the probe. */
  async probe(): Promise<ProbeAnswer[]> {
    const dir = join(this.#dir, 'probe');
    const asked = String(++this.#asked);
    writeFileSync(join(dir, 'ask'), asked);
    const answers = (): ProbeAnswer[] =>
      readdirSync(dir)
        .filter((name) => name.startsWith(`${asked}-`) && name.endsWith('.json'))
        .map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as ProbeAnswer);
    // Main thread, observatory, kubernetes.
    await waitFor('answers of the threads', () => answers().length >= 3, TIMEOUT_MS);
    return answers();
  }

  /** Pods elsewhere change, one by one. */
  async touch(): Promise<void> {
    const before = await this.#revision();
    this.#town.child.kill('SIGUSR2');
    await waitFor('the changes', async () => (await this.#revision()) > before, TIMEOUT_MS);
    await this.#quiet();
  }

  async #revision(): Promise<number> {
    return ((await this.instance.read('/v1/status')) as Told).policyRevision;
  }

  /** Until the agent publishes nothing more. */
  async #quiet(): Promise<void> {
    let last = -1;
    const isQuiet = async (): Promise<boolean> => {
      const now = await this.#revision();
      const same = now === last;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return same;
    };
    await waitFor('the agent to be quiet', isQuiet, TIMEOUT_MS);
  }
}

/** CPU seconds of each thread of a process, by its name; threads of one name together. */
function threadCpu(pid: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8');
    const name = `${/\((.*)\)/.exec(text)?.[1] ?? ''}${Number(task) === pid ? ' (main)' : ''}`;
    const fields = text.replace(/^.*\) /, '').split(' ');
    found.set(name, (found.get(name) ?? 0) + (Number(fields[11]) + Number(fields[12])) / 100);
  }
  return found;
}

/** One size: what it took until all was published, and what is held then. */
async function measureSize(pods: number, policies: number, results: Results): Promise<{ held: number; heap: number }> {
  const cleanup = new Cleanup();
  try {
    const followed = await Followed.start(cleanup, pods, policies);
    const { pid } = followed.instance.agent;
    await followed.published(pods);
    const cpu = threadCpu(pid);
    const total = processCpuUs(pid) / 1e6;
    const name = `${pods} pods, ${policies} policies`;
    const peak = memoryMiB(pid).rss;
    const answers = await followed.probe();
    const main = answers.find(({ isMain }) => isMain);
    const add = (metric: string, value: number, unit: string): void =>
      results.add('sluice', `${name}: ${metric}`, value, unit);
    add('CPU until published', total, 's');
    for (const [thread, seconds] of cpu) if (seconds >= 0.5) add(`CPU of ${thread}`, seconds, 's');
    add('longest block of the main thread', main?.longestBlockMs ?? Number.NaN, 'ms');
    add('resident, garbage and all', peak, 'MiB');
    const heap = main?.heap ?? Number.NaN;
    const held = answers.reduce((sum, one) => sum + one.heap + one.outside, 0);
    add('heap of the main thread', heap / KIB / KIB, 'MiB');
    add('heaps and buffers of all threads', held / KIB / KIB, 'MiB');
    for (const one of answers) console.error(`  ${JSON.stringify(one)}`);
    const before = processCpuUs(pid);
    await followed.touch();
    add('CPU of a pod that changes', (processCpuUs(pid) - before) / 1000 / TOUCHED, 'ms');
    await followed.instance.stop();
    return { held, heap };
  } finally {
    cleanup.finish();
  }
}

/** @param pods of other nodes, 50,000 unless told */
export async function measureKubernetes(rounds: number, pods: number, results: Results): Promise<void> {
  const many = pods || PODS;
  for (let round = 1; round <= rounds; round++) {
    console.error(`kubernetes, round ${round} of ${rounds}`);
    const small = await measureSize(FEW, POLICIES, results);
    const big = await measureSize(many, POLICIES, results);
    const each = (bytes: number): number => bytes / (many - FEW) / KIB;
    results.add('sluice', 'kubernetes: a pod of another node, main thread', each(big.heap - small.heap), 'KiB');
    results.add('sluice', 'kubernetes: a pod of another node, all threads', each(big.held - small.held), 'KiB');
  }
}
