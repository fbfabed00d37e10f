/** Lists of CNI networks as files: what a container runtime reads of a folder, and the one that we write. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of the file that `sluice cni install` writes: runtimes take the first of a folder. */
export const LIST_NAME = '05-sluice.conflist';
/** What others' files are called while ours is the only one. */
export const ASIDE = '.sluice-aside';

export interface Plugin {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface NetworkList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly Plugin[];
  readonly [key: string]: unknown;
}

/** Plugins that do something to an interface that others made, which we are before. */
const LATER = new Set(['portmap', 'bandwidth', 'tuning', 'firewall', 'sbr', 'vrf']);

export interface ListOptions {
  readonly name: string;
  readonly cniVersion: string;
  /** Our own part. */
  readonly plugin: Plugin;
  readonly hasPortmap: boolean;
}

/** A list of ours alone. */
export function ownList({ name, cniVersion, plugin, hasPortmap }: ListOptions): NetworkList {
  const portmap = { type: 'portmap', capabilities: { portMappings: true } };
  return { cniVersion, name, plugins: [plugin, ...(hasPortmap ? [portmap] : [])] };
}

/** A list of others with us in it: behind what makes interfaces, before what does something to them. */
export function chainedList(list: NetworkList, plugin: Plugin): NetworkList {
  const others = list.plugins.filter(({ type }) => type !== plugin.type);
  const first = others.findIndex(({ type }) => LATER.has(type));
  const at = first < 0 ? others.length : first;
  return { ...list, plugins: [...others.slice(0, at), plugin, ...others.slice(at)] };
}

/** @throws Error when it is no list of networks, or one that makes no interface */
export function readList(path: string): NetworkList {
  const list = JSON.parse(readFileSync(path, 'utf8')) as Partial<NetworkList> | null;
  const { name, cniVersion, plugins } = list ?? {};
  const arePlugins =
    Array.isArray(plugins) && plugins.every((one: Partial<Plugin> | null) => typeof one?.type === 'string');
  if (typeof name !== 'string' || typeof cniVersion !== 'string' || !arePlugins)
    throw new Error('found no list of a network, wanted {"cniVersion", "name", "plugins": [{"type"}]}');
  return { ...list, name, cniVersion, plugins: plugins as readonly Plugin[] };
}

/**
 * The files that a runtime looks at, in its order; none for a folder that is not there.
 * @param suffix behind their names; of those that were put aside
 */
export function configurationFiles(folder: string, suffix = ''): string[] {
  const isList = (name: string) =>
    name.endsWith(suffix) && /\.(conf|conflist|json)$/.test(name.slice(0, name.length - suffix.length));
  try {
    return readdirSync(folder).filter(isList).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Whether a file is a list with our plugin in it. */
export function isOurs(folder: string, name: string): boolean {
  try {
    return readList(join(folder, name)).plugins.some(({ type }) => type === 'sluice-cni');
  } catch {
    return false;
  }
}
