/** Starts one container of a pod: image, environment, files, processes. */
import { closeSync, constants, existsSync, fchmodSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NetnsFiles } from '../../linux/netns-files.ts';
import type { ProcessId } from '../../linux/process-id.ts';
import { programPath } from '../../linux/programs.ts';
import { commandInImage, commandOfImage, type ImageCommand } from '../images/image-command.ts';
import { lacksPtrace } from '../plan/capabilities.ts';
import { planContainer, TOOLS_FOLDER } from '../plan/container-plan.ts';
import { ContainerProblem, environmentOf } from '../plan/environment.ts';
import { expand } from '../plan/expansion.ts';
import type { ContainerSpec, PlacedContainer, Pod } from '../pod-spec.ts';
import { TERMINATION } from '../runtime/pod-volume-names.ts';
import { endingName } from '../runtime/process-files.ts';
import type { ImageConfig } from '../podman/image-config.ts';
import { writeImageNote } from '../runtime/image-note.ts';
import { idsInImage } from '../runtime/launcher.ts';
import { idsOf, userInImage } from '../plan/container-ids.ts';
import type { ContainerLife } from './container-life.ts';
import { type KubeletParts, tellOf } from './parts.ts';
import { sourcesOf } from './pod-sources.ts';

const SERVER = [`${TOOLS_FOLDER}/node`, `${TOOLS_FOLDER}/bin/stand-in.cjs`];
const MESSAGE_BYTES = 4096;
const NO_PTRACE =
  'securityContext.capabilities.add: SYS_PTRACE is left out, which would reach past the container: processes of its own user can be traced without';
/** Of a pod: each costs the machine a process of ours and half a dozen mounts, whatever it runs. */
const MAX_CONTAINERS = 64;

/** Where a pod is. */
export interface PodSite {
  readonly sandbox: ProcessId;
  readonly netns: string;
  readonly hostName: string;
}

/** What a container is started from. */
export interface StartSite extends PodSite {
  /** undefined for programs of the machine, and stand-ins. */
  readonly image: ImageConfig | undefined;
}

/**
 * @throws ContainerProblem for what the pod wants and cannot have, before anything ran; Error with the sentence of the launcher or of podman when
 * the program could not be executed
 */
export async function startContainer(
  parts: KubeletParts,
  pod: Pod,
  life: ContainerLife,
  site: StartSite,
): Promise<void> {
  const { images } = parts;
  const { image } = site;
  if (life.placed.role === 'ephemeral') refuseAdded(pod, life.placed);
  const env = environmentOf(pod, life.placed.spec, sourcesOf(pod, parts));
  if (image === undefined || images === undefined) await start({ parts, pod, life, site, env });
  else await images.hold(image.id, (path) => start({ parts, pod, life, site, env, mounted: { image, path } }));
}

interface Start {
  readonly parts: KubeletParts;
  readonly pod: Pod;
  readonly life: ContainerLife;
  readonly site: PodSite;
  readonly env: ReadonlyMap<string, string>;
  readonly mounted?: { readonly image: ImageConfig; readonly path: string };
}

async function start({ parts, pod, life, site, env, mounted }: Start): Promise<void> {
  const { runtime } = parts;
  const { placed } = life;
  const { uid } = pod.metadata;
  const image = mounted === undefined ? standInFor(parts, pod, placed, env) : imageCommand(placed, env, mounted.image);
  const found = mounted && (await idsInImage(mounted.path, userInImage(pod, placed.spec, mounted.image.user)));
  const root = mounted && { ...mounted.image, path: mounted.path };
  const lines = planContainer(
    { pod, placed, attempt: life.nextAttempt, image, env, root, ids: idsOf(pod, placed.spec, found) },
    {
      sandbox: site.sandbox,
      skeleton: runtime.skeleton,
      exitsFolder: runtime.exitsFolder,
      exitName: endingName(uid, placed.folder, life.nextAttempt),
      cgroup: runtime.cgroups.make(uid),
      etcFiles: etcFiles(parts, uid, site.netns),
      tools: { node: process.execPath, programs: dirname(programPath('stand-in')) },
      hostName: site.hostName,
    },
  );
  if (placed.role === 'ephemeral' && lacksPtrace(placed.spec.securityContext ?? {}))
    tellOf(parts, pod, placed, { type: 'Warning', reason: 'RightLeftOut', message: NO_PTRACE });
  clearMessage(terminationPath(parts, site.sandbox, placed));
  tellOf(parts, pod, placed, { type: 'Normal', reason: 'Created', message: `Created container: ${placed.name}` });
  writeImageNote(runtime.containerFolder(uid, placed.folder), mounted?.image);
  const isLayered = await runtime.startContainer(uid, placed.folder, lines);
  if (!isLayered) {
    const text = 'this machine has no overlay file systems: /usr and its like are read only in the container';
    tellOf(parts, pod, placed, { type: 'Warning', reason: 'NoOverlay', message: text });
  }
  tellOf(parts, pod, placed, { type: 'Normal', reason: 'Started', message: `Started container ${placed.name}` });
}

function wordsOf(list: readonly unknown[] = [], env: ReadonlyMap<string, string>): string[] {
  return list.map((word) => expand(String(word), (name) => env.get(name)));
}

function imageCommand({ spec }: PlacedContainer, env: ReadonlyMap<string, string>, image: ImageConfig): ImageCommand {
  const argv = commandInImage({ command: wordsOf(spec.command, env), args: wordsOf(spec.args, env) }, image);
  if (argv.length === 0) throw new ContainerProblem('CreateContainerError', 'no command specified');
  return { argv, standIn: undefined, isBusybox: false };
}

/** As `podRefusal` for those that were there from the beginning. @throws ContainerProblem */
function refuseAdded({ spec = {} }: Pod, { name, spec: added }: PlacedContainer): void {
  const place = (spec.ephemeralContainers ?? []).findIndex((one) => one.name === name);
  if (place >= MAX_CONTAINERS)
    throw configProblem(`spec: found more than ${MAX_CONTAINERS} ephemeral containers, wanted at most as many`);
  if (added.securityContext?.privileged === true)
    throw configProblem(
      'securityContext.privileged: found true, wanted false: no container of Sluice has the rights of the machine',
    );
}

function configProblem(message: string): ContainerProblem {
  return new ContainerProblem('CreateContainerConfigError', message);
}

function standInFor(
  parts: KubeletParts,
  pod: Pod,
  placed: PlacedContainer,
  env: ReadonlyMap<string, string>,
): ImageCommand {
  const { runtime, standIns } = parts;
  const { image = '', ports = [], command, args } = placed.spec;
  const found = commandOfImage(
    {
      image,
      command: wordsOf(command, env),
      args: wordsOf(args, env),
      ports: ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP').map(({ containerPort }) => containerPort),
      env,
    },
    { standIns: standIns(), hasProgram: (name) => runtime.hasProgram(name), server: SERVER },
  );
  if (found === undefined) throw new ContainerProblem('ErrImagePull', imageProblem(image));
  tellOf(parts, pod, placed, { type: 'Normal', reason: 'Pulled', message: pulledText(image, found) });
  return found;
}

function imageProblem(image: string): string {
  return (
    `Failed to pull image "${image}": Sluice fetches no images, and nothing stands in for this one: give the container a command ` +
    `that this machine has, or set standIns of the configuration, for example {"${image}": ["stand-in", "echo", "8080"]}`
  );
}

function pulledText(image: string, { standIn }: ImageCommand): string {
  return standIn === undefined
    ? `Container image "${image}" is not used: the programs of this machine run in its place`
    : `Container image "${image}" is not used: a small server of Sluice (${standIn}) stands in for it`;
}

/** What the agent wrote for the pod's network namespace; what the machine has where that says the same. */
function etcFiles({ runtime }: KubeletParts, uid: string, netns: string): [source: string, target: string][] {
  const name = netnsName(netns);
  const own = (file: string): string => `/etc/netns/${name}/${file}`;
  const files = ['resolv.conf', 'hosts'].map((file): [string, string] => {
    const isOwn = !name.includes('/') && existsSync(own(file));
    return [isOwn ? own(file) : `/etc/${file}`, `/etc/${file}`];
  });
  const present = files.filter(([source]) => existsSync(source));
  return [...present, [join(runtime.podFolder(uid), 'hostname'), '/etc/hostname']];
}

/** Its name where it has one among those of `ip netns`, else its path. */
function netnsName(netns: string): string {
  return netns.replace(/^\/(?:var\/)?run\/netns\//, '');
}

/** What a pod calls its host: as the agent wrote it, else its name. */
export function hostNameOf({ runDir }: KubeletParts, pod: Pod, netns: string): string {
  const name = netnsName(netns);
  const written = name.includes('/') ? undefined : new NetnsFiles(runDir).hostName(name);
  return written ?? (pod.spec?.hostname ?? pod.metadata.name).slice(0, 63).replace(/[-.]+$/, '');
}

function terminationPath({ runtime }: KubeletParts, sandbox: ProcessId, { folder }: PlacedContainer): string {
  return join(runtime.volumesFolder(sandbox), TERMINATION, folder);
}

function clearMessage(path: string): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  fchmodSync(file, 0o666); // whoever the container runs as
  closeSync(file);
}

/** What a container left to say when it ended. */
export function terminationMessage(
  parts: KubeletParts,
  sandbox: ProcessId | undefined,
  placed: PlacedContainer,
): string {
  if (sandbox === undefined) return '';
  try {
    const bytes = readFileSync(terminationPath(parts, sandbox, placed));
    return bytes.subarray(0, MESSAGE_BYTES).toString('utf8').replaceAll('\0', '');
  } catch {
    return '';
  }
}

/** Why a pod cannot run here at all; '' when it can. */
export function podRefusal({ spec = {} }: Pod): string {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).find((name) => spec[name] === true);
  if (shared !== undefined)
    return `spec.${shared}: found true, wanted false: containers of Sluice share nothing with the machine`;
  const all: readonly ContainerSpec[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  if (all.length > MAX_CONTAINERS)
    return `spec: found ${all.length} containers, wanted at most ${MAX_CONTAINERS} with those of the beginning`;
  const privileged = all.find(({ securityContext }) => securityContext?.privileged === true);
  if (privileged === undefined) return '';
  return `container ${privileged.name}: securityContext.privileged: found true, wanted false: no container of Sluice has the machine's rights`;
}
