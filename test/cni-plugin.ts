/** The CNI plugin as a container runtime starts it: environment, configuration on standard input, answer on standard output. */
import { dirname } from 'node:path';
import { CNI_PLUGIN } from '../linux/programs.ts';
import { type Cleanup, inNetns, must, type Outcome, run } from './command.ts';
import type { SluiceInstance } from './rig.ts';

/** Where ours is. */
export const PLUGIN_FOLDER = dirname(CNI_PLUGIN);
/** Where Debian has the plugins of others. */
const PLUGINS = '/usr/lib/cni';

interface PluginCall {
  readonly command: string;
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly args?: string;
  readonly path?: string;
  /** Of the network; a string is sent as it stands. */
  readonly config: object | string;
  /** Namespace that is the host. */
  readonly host: string;
  /** Another plugin of PLUGINS. */
  readonly plugin?: string;
  /** Words behind the program, as netavark has them. */
  readonly words?: readonly string[];
}

interface PluginAnswer {
  readonly code: number;
  /** What it printed, as JSON; undefined for nothing. */
  readonly answer: any;
  readonly stdout: string;
}

/** Starts the plugin once. Variables that are not given are not there. */
async function callPlugin(call: PluginCall): Promise<PluginAnswer> {
  const { command, containerId, netns, ifname, args, path = PLUGINS, config, host, plugin, words = [] } = call;
  const variables = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: ifname,
    CNI_ARGS: args,
  };
  const given = Object.entries({ ...variables, CNI_PATH: path }).filter(([, value]) => value !== undefined);
  const environment = given.map(([name, value]) => `${name}=${value}`);
  const program = plugin === undefined ? CNI_PLUGIN : `${PLUGINS}/${plugin}`;
  const input = typeof config === 'string' ? config : JSON.stringify(config);
  const { code, stdout }: Outcome = await run(inNetns(host, ['env', ...environment, program, ...words]), { input });
  return { code: code ?? -1, stdout, answer: stdout.trim() === '' ? undefined : JSON.parse(stdout) };
}

/** A host with a plugin, and containers as a runtime makes them: a network namespace each. */
export class ContainerHost {
  /** Of the network. */
  readonly network: Readonly<Record<string, unknown>>;
  readonly #instance: SluiceInstance;
  readonly #cleanup: Cleanup;
  readonly #name: string;

  constructor(instance: SluiceInstance, name: string, cleanup: Cleanup) {
    this.#instance = instance;
    this.#cleanup = cleanup;
    this.#name = name;
    this.network = { cniVersion: '1.1.0', name: 'sluice', type: 'sluice-cni', runDir: instance.runDir };
  }

  netnsOf(id: string): string {
    return `${this.#name}-${id}`;
  }

  /** Its loopback is down, as runtimes leave it. @returns the path of its namespace */
  async make(id: string): Promise<string> {
    this.#cleanup.command('ip', 'netns', 'del', this.netnsOf(id));
    await must(['ip', 'netns', 'add', this.netnsOf(id)]);
    return `/run/netns/${this.netnsOf(id)}`;
  }

  /** Calls the plugin about a container's `eth0`. */
  call(command: string, id: string, more: Partial<PluginCall> = {}): Promise<PluginAnswer> {
    const netns = `/run/netns/${this.netnsOf(id)}`;
    const host = `${this.#name}-host`;
    return callPlugin({ command, containerId: id, netns, ifname: 'eth0', config: this.network, host, ...more });
  }

  async endpointOf(pod: string): Promise<any> {
    return (await this.#instance.read('/v1/endpoints')).find((one: any) => one.pod === pod);
  }

  inside(id: string, ...argv: string[]): Promise<Outcome> {
    return run(inNetns(this.netnsOf(id), argv));
  }

  /** Whether an address answers. @param seconds patience, for one that should not */
  async pings(id: string, address: string, seconds = 10): Promise<boolean> {
    return (await this.inside(id, 'ping', '-c', '1', '-w', String(seconds), address)).code === 0;
  }
}

/** CNI_ARGS of containerd. */
export function podArgs(pod: string, uid = '1'): string {
  return `K8S_POD_INFRA_CONTAINER_ID=9f;K8S_POD_UID=${uid};IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod}`;
}
