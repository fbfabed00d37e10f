/** A kubelet with a storage of its own and one network namespace for all pods: what containers do, without an agent. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Storage } from '../../apiserver/storage/storage.ts';
import { type ContainerRuntime, Kubelet, type RunningContainer } from '../../kubelet/kubelet.ts';
import type { Condition, Pod, PodStatus } from '../../kubelet/pod-spec.ts';
import { execCommand, execInNetns } from '../../kubelet/runtime/exec-command.ts';
import { type Cleanup, must, waitFor } from '../command.ts';

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class KubeletRig {
  readonly storage = new Storage();
  readonly runDir: string;
  readonly netns: string;
  /** `REASON MESSAGE` of every event. */
  readonly events: string[] = [];
  readonly logged: string[] = [];
  kubelet: Kubelet;

  readonly #runtime: ContainerRuntime;
  private constructor(name: string, runtime: ContainerRuntime) {
    this.#runtime = runtime;
    this.netns = name;
    this.runDir = mkdtempSync(join(tmpdir(), `${name}-`));
    this.kubelet = this.#make();
  }

  static async start(name: string, cleanup: Cleanup, runtime: ContainerRuntime = 'none'): Promise<KubeletRig> {
    await must(['ip', 'netns', 'add', name]);
    cleanup.command('ip', 'netns', 'del', name);
    await must(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
    const rig = new KubeletRig(name, runtime);
    cleanup.add(() => rmSync(rig.runDir, { recursive: true, force: true }));
    rig.kubelet.start();
    cleanup.add(() => void rig.kubelet.stop(true));
    return rig;
  }

  #make(): Kubelet {
    return new Kubelet({
      storage: this.storage,
      nodeName: 'here',
      containerRuntime: this.#runtime,
      runDir: this.runDir,
      network: {
        endpoint: () => ({ state: 'ready', problem: '', netns: this.netns, addresses: ['127.0.0.1'] }),
        onChange: () => () => {},
      },
      events: { record: (_, { reason, message }) => void this.events.push(`${reason} ${message}`) },
      standIns: () => ({}),
      hostIps: () => ['192.0.2.1'],
      log: (level, message) => void this.logged.push(`${level} ${message}`),
    });
  }

  /** As after a kill -9: another kubelet takes up what the first one began. */
  async restart(): Promise<void> {
    await this.kubelet.stop(false);
    this.kubelet = this.#make();
    this.kubelet.start();
  }

  create(name: string, spec: object, metadata: object = {}): Pod {
    return this.storage.create('pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'default', name, ...metadata },
      spec: { nodeName: 'here', terminationGracePeriodSeconds: 3, ...spec },
    });
  }

  get(name: string): Pod | undefined {
    return this.storage.get('pods', 'default', name);
  }

  status(name: string): PodStatus {
    return this.get(name)?.status ?? {};
  }

  condition(name: string, type: string): Condition | undefined {
    return this.status(name).conditions?.find((one) => one.type === type);
  }

  untilReady(name: string): Promise<unknown> {
    return waitFor(`pod ${name} to be ready`, () => this.condition(name, 'Ready')?.status === 'True');
  }

  untilGone(name: string): Promise<unknown> {
    return waitFor(`pod ${name} to be gone`, () => this.get(name) === undefined);
  }

  delete(name: string, gracePeriodSeconds?: number): void {
    this.storage.delete('pods', 'default', name, { gracePeriodSeconds });
  }

  container(name: string, container?: string): RunningContainer {
    return this.kubelet.container('default', name, container);
  }

  /** Runs a command in a pod. */
  exec(name: string, argv: readonly string[], container?: string): Promise<Said> {
    return said(execCommand(this.container(name, container), argv, { isTty: false }));
  }

  /** Runs a command in the network namespace, as in a pod without containers. */
  execInNetns(argv: readonly string[]): Promise<Said> {
    return said(execInNetns(this.netns, argv, { isTty: false }));
  }

  /** What a shell says in a pod, both streams. */
  async sh(name: string, script: string, container?: string): Promise<string> {
    const { stdout, stderr } = await this.exec(name, ['sh', '-c', script], container);
    return stdout + stderr;
  }

  async logs(name: string, request: Parameters<Kubelet['logs']>[2] = {}): Promise<string> {
    const parts: Uint8Array[] = [];
    for await (const part of this.kubelet.logs('default', name, request)) parts.push(part);
    return Buffer.concat(parts).toString('utf8');
  }
}

function said([program, ...args]: readonly string[]): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
