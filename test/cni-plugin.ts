/** The CNI plugin as a container runtime starts it: environment, configuration on standard input, answer on standard output. */
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../linux/package-root.ts';
import { inNetns, type Outcome, run } from './command.ts';

const CNI_PLUGIN = join(PACKAGE_ROOT, 'dist/cni/sluice-cni');
/** Where Debian has the plugins of others. */
const PLUGINS = '/usr/lib/cni';

export interface PluginCall {
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
}

export interface PluginAnswer {
  readonly code: number;
  /** What it printed, as JSON; undefined for nothing. */
  readonly answer: any;
  readonly stdout: string;
}

/** Starts the plugin once. Variables that are not given are not there. */
export async function callPlugin(call: PluginCall): Promise<PluginAnswer> {
  const { command, containerId, netns, ifname, args, path = PLUGINS, config, host, plugin } = call;
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
  const { code, stdout }: Outcome = await run(inNetns(host, ['env', ...environment, program]), { input });
  return { code: code ?? -1, stdout, answer: stdout.trim() === '' ? undefined : JSON.parse(stdout) };
}
