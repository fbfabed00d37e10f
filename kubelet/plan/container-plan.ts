/** From a container of a pod to what the launcher is told: ids, rights, layers, mounts, environment, command. Pure. */
import { SHARED_MEMORY, TERMINATION } from '../runtime/pod-volume-names.ts';
import type { SpecLines } from '../runtime/launcher.ts';
import type { Skeleton } from '../runtime/skeleton.ts';
import type { ProcessId } from '../../linux/process-id.ts';
import type { ImageCommand } from '../images/image-command.ts';
import type { ContainerSpec, PlacedContainer, Pod, VolumeMount } from '../pod-spec.ts';
import { capabilitiesOf } from './capabilities.ts';
import { configProblem, type ContainerIds, idLines } from './container-ids.ts';
import { expand } from './expansion.ts';
import { parseQuantity } from './quantity.ts';

/** Where what runs stand-ins is put. */
export const TOOLS_FOLDER = '/.sluice';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** What a container may write outside of its volumes, when it names no limit. */
const ROOT_BYTES = 256 * 2 ** 20;
const MOST_ROOT_BYTES = 16 * 2 ** 30;
const DEFAULT_TERMINATION_PATH = '/dev/termination-log';

/** What of the machine a container gets. */
export interface ContainerSite {
  readonly sandbox: ProcessId;
  readonly skeleton: Skeleton;
  readonly exitsFolder: string;
  readonly exitName: string;
  readonly cgroup: string | undefined;
  /** Files of the machine over those of /etc: `[source, target]`. */
  readonly etcFiles: readonly (readonly [source: string, target: string])[];
  /** Node, and the programs of Sluice. */
  readonly tools: { readonly node: string; readonly programs: string };
  readonly hostName: string;
}

export interface ContainerRequest {
  readonly pod: Pod;
  readonly placed: PlacedContainer;
  readonly attempt: number;
  readonly image: ImageCommand;
  readonly env: ReadonlyMap<string, string>;
  readonly ids: ContainerIds;
  /** Its files take the place of the machine's; undefined for one that has none. */
  readonly root?: ImageRoot | undefined;
}

/** An image that is mounted. */
export interface ImageRoot {
  readonly path: string;
  readonly env: ReadonlyMap<string, string>;
  readonly workingDir: string;
}

/** @throws ContainerProblem for what cannot be had */
export function planContainer(request: ContainerRequest, site: ContainerSite): SpecLines {
  const { pod, placed, attempt, image, env, ids, root } = request;
  const { spec } = placed;
  const isShared = pod.spec?.shareProcessNamespace === true;
  const flags: readonly (readonly [name: string, isSet: boolean])[] = [
    ['sharesPids', isShared],
    ['tty', spec.tty === true],
    ['stdin', spec.stdin === true],
    ['stdinOnce', spec.stdinOnce === true],
    ['readOnlyRoot', spec.securityContext?.readOnlyRootFilesystem === true],
    ['noNewPrivileges', spec.securityContext?.allowPrivilegeEscalation === false],
    ['unfiltered', seccompOf(pod, spec) === 'Unconfined'],
    ['needsOverlay', root !== undefined],
  ];
  return [
    ['attempt', attempt],
    ['exits', site.exitsFolder],
    ['exitName', site.exitName],
    ['sandbox', site.sandbox.pid],
    ['sandboxStart', site.sandbox.startTime],
    ['rootBytes', rootBytes(spec)],
    ['capabilities', capabilitiesOf(spec.securityContext ?? {}, placed.role === 'ephemeral')],
    ['cwd', workingDir(spec, env, root)],
    ...(site.cgroup === undefined ? [] : [['cgroup', site.cgroup] as const]),
    ...flags.flatMap(([name, isSet]) => (isSet ? [[name, 1] as const] : [])),
    ...idLines(ids),
    ...layerLines(site.skeleton, image.isBusybox, root),
    ...bindLines(site, image),
    ...mountLines(pod, placed, env),
    ...environmentLines(spec, { site, env, root, home: ids.home }),
    ...image.argv.map((word) => ['arg', word] as const),
  ];
}

function seccompOf(pod: Pod, { securityContext = {} }: ContainerSpec): string | undefined {
  return (securityContext.seccompProfile ?? pod.spec?.securityContext?.seccompProfile)?.type;
}

function rootBytes({ resources }: ContainerSpec): number {
  const limit = parseQuantity(resources?.limits?.['ephemeral-storage']);
  return limit === undefined || limit < 1 ? ROOT_BYTES : Math.min(Math.ceil(limit), MOST_ROOT_BYTES);
}

function workingDir(
  { workingDir = '' }: ContainerSpec,
  env: ReadonlyMap<string, string>,
  root: ImageRoot | undefined,
): string {
  if (workingDir === '') return absolute(root?.workingDir ?? '/', 'WorkingDir of the image');
  return absolute(
    expand(workingDir, (name) => env.get(name)),
    'workingDir',
  );
}

function absolute(path: string, what: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (!path.startsWith('/') || parts.includes('..') || /[\n\0]/.test(path) || path.length > 1024)
    throw configProblem(`${what}: found '${path}', wanted an absolute path without ..`);
  return `/${parts.join('/')}`;
}

function layerLines({ root, system, applets, cover }: Skeleton, isBusybox: boolean, image?: ImageRoot): SpecLines {
  if (image !== undefined) return [['overlay', ['/', cover, image.path].join('\n')]];
  const layers = system.map((folder) => {
    if (folder !== '/usr' || applets === '') return [folder, folder];
    return isBusybox ? [folder, applets, folder] : [folder, folder, applets];
  });
  return [['/', root], ...layers].map((layer) => ['overlay', layer.join('\n')] as const);
}

function bindLines(site: ContainerSite, { standIn }: ImageCommand): SpecLines {
  const { skeleton } = site;
  const { node, programs } = site.tools;
  const tools: (readonly [source: string, target: string])[] =
    standIn === undefined
      ? []
      : [
          [node, `${TOOLS_FOLDER}/node`],
          [programs, `${TOOLS_FOLDER}/bin`],
        ];
  if (standIn === 'agnhost') tools.push([skeleton.agnhost, '/agnhost']);
  return [...site.etcFiles, ...tools].map(([source, target]) => ['bind', `ro\n${source}\n${target}`] as const);
}

const FORBIDDEN = ['/proc', '/sys', TOOLS_FOLDER];

function mountLines(pod: Pod, { spec, folder }: PlacedContainer, env: ReadonlyMap<string, string>): SpecLines {
  // The kubelet writes into all others, as the machine's root: a link that a container left there would lead it anywhere.
  const isOwn = ({ name }: VolumeMount): boolean =>
    pod.spec?.volumes?.find((volume) => volume.name === name)?.emptyDir !== undefined;
  const mounts = (spec.volumeMounts ?? []).map((mount) =>
    mountLine({ ...mount, readOnly: mount.readOnly === true || !isOwn(mount) }, env),
  );
  // A mount beneath another comes after it.
  mounts.sort((a, b) => a.target.split('/').length - b.target.split('/').length);
  const termination = absolute(spec.terminationMessagePath ?? DEFAULT_TERMINATION_PATH, 'terminationMessagePath');
  const own = [
    { target: '/dev/shm', line: `rw\n${SHARED_MEMORY}\n/dev/shm` },
    { target: termination, line: `rw\n${TERMINATION}\n${folder}\n${termination}` },
  ].filter(({ target }) => mounts.every((mount) => mount.target !== target));
  return [...own, ...mounts].map(({ line }) => ['volume', line] as const);
}

function mountLine(mount: VolumeMount, env: ReadonlyMap<string, string>): { target: string; line: string } {
  const { name, mountPath, readOnly = false, subPathExpr } = mount;
  const target = absolute(mountPath, 'mountPath');
  if (target === '/' || FORBIDDEN.some((place) => target === place || target.startsWith(`${place}/`)))
    throw configProblem(`mountPath: found '${mountPath}', wanted another place than /, ${FORBIDDEN.join(', ')}`);
  const subPath = subPathExpr === undefined ? (mount.subPath ?? '') : expand(subPathExpr, (key) => env.get(key));
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  if (subPath.startsWith('/') || parts.includes('..') || /[\n\0]/.test(subPath) || subPath.length > 1024)
    throw configProblem(`subPath: found '${subPath}', wanted a path within the volume`);
  const within = parts.length === 0 ? '' : `${parts.join('/')}\n`;
  return { target, line: `${readOnly ? 'ro' : 'rw'}\n${name}\n${within}${target}` };
}

interface EnvironmentSite {
  readonly site: ContainerSite;
  readonly env: ReadonlyMap<string, string>;
  readonly root: ImageRoot | undefined;
  readonly home: string;
}

function environmentLines(spec: ContainerSpec, { site, env, root, home }: EnvironmentSite): SpecLines {
  const base = { PATH: DEFAULT_PATH, HOSTNAME: site.hostName, HOME: home };
  const term = spec.tty === true ? [['TERM', 'xterm'] as const] : [];
  const all = new Map([...Object.entries(base), ...term, ...(root?.env ?? []), ...env]);
  return [...all].map(([name, value]) => ['env', `${name}=${value}`] as const);
}
