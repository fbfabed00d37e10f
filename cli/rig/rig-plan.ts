/**
 * From manifests to a rig: which pods, which network namespaces, and which programs run in them. Pure.
 *
 * There are no images here: a container that names a command runs it; of one that does not, a stand-in for its image
 * (kubelet/images/image-table.ts, and `standIns` of the configuration) runs; nothing runs in one whose image is unknown, and the plan says so.
 */

import { flattenList, type Manifest } from '../../policy/document/manifest.ts';
import { standInCommand, type StandIns, useOfImage } from '../../kubelet/images/image-table.ts';
import { ANNOTATIONS } from '../../policy/document/annotations.ts';
import { podsOf } from '../../policy/document/workload.ts';

/** What a rig takes from the configuration of the instance. */
export interface RigSite {
  readonly netnsPrefix?: string | undefined;
  readonly standIns?: StandIns | undefined;
}

export interface RigPlan {
  readonly pods: readonly RigPod[];
}

/** A container in which nothing runs, and its image. */
export interface IdleContainer {
  readonly name: string;
  readonly image: string;
}

export interface RigPod {
  readonly namespace: string;
  readonly name: string;
  /** Network namespace by name. */
  readonly netns: string;
  /** Run one after the other, each to its end, before the containers. */
  readonly initContainers: readonly RigContainer[];
  readonly containers: readonly RigContainer[];
  /** Those with no command and an unknown image. */
  readonly idle: readonly IdleContainer[];
}

export interface RigContainer {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string | undefined;
  /** Ports it promises to serve. */
  readonly tcpPorts: readonly number[];
  readonly udpPorts: readonly number[];
  /** Whether it may end with 0: a pod that is not to be restarted does its work and is done. */
  readonly mayEnd: boolean;
}

interface PodSpec {
  readonly restartPolicy?: string;
  readonly containers?: readonly ContainerSpec[];
  readonly initContainers?: readonly ContainerSpec[];
}

interface ContainerSpec {
  readonly name?: string;
  readonly image?: string;
  readonly command?: readonly unknown[];
  readonly args?: readonly unknown[];
  readonly env?: readonly { readonly name: string; readonly value?: unknown }[];
  readonly workingDir?: string;
  readonly ports?: readonly { readonly containerPort: number; readonly protocol?: string }[];
}

/**
 * Plans a rig.
 * @param site.netnsPrefix put before `<namespace>-<pod>` for pods that name no network namespace
 * @param site.standIns of the configuration
 */
export function planRig(documents: readonly Manifest[], site: RigSite = {}): RigPlan {
  const pods = documents.flatMap(flattenList).flatMap(podsOf);
  return { pods: pods.map((pod) => planPod(pod, site)) };
}

function planPod(pod: Manifest, { netnsPrefix = '', standIns = {} }: RigSite): RigPod {
  const { metadata = {} } = pod;
  const { namespace = 'default', name = '' } = metadata;
  const spec = (pod.spec ?? {}) as PodSpec;
  const mayEnd = spec.restartPolicy === 'Never' || spec.restartPolicy === 'OnFailure';
  return {
    namespace,
    name,
    netns: metadata.annotations?.[ANNOTATIONS.netns] ?? `${netnsPrefix}${namespace}-${name}`,
    initContainers: (spec.initContainers ?? []).flatMap((one, at) =>
      planContainer(one, at, { standIns, mayEnd: true }),
    ),
    containers: (spec.containers ?? []).flatMap((one, at) => planContainer(one, at, { standIns, mayEnd })),
    idle: (spec.containers ?? []).flatMap((one, at) => idleOf(one, at, standIns)),
  };
}

function planContainer(
  container: ContainerSpec,
  at: number,
  { standIns, mayEnd }: { readonly standIns: StandIns; readonly mayEnd: boolean },
): RigContainer[] {
  const ports = (wanted: string): number[] =>
    (container.ports ?? []).flatMap(({ containerPort, protocol = 'TCP' }) =>
      protocol === wanted ? containerPort : [],
    );
  const env = Object.fromEntries((container.env ?? []).map(({ name, value = '' }) => [name, String(value)]));
  const use = container.command === undefined ? useOfImage(container.image ?? '', standIns) : undefined;
  const kind = use?.kind;
  const served = kind !== undefined && ports('TCP').length === 0 ? [Number(env['PORT'] ?? use?.port)] : ports('TCP');
  const argv = kind === undefined ? argvOf(container, use?.command) : standInCommand(kind, served);
  if (argv.length === 0) return [];
  return [
    {
      name: nameOf(container, at),
      argv,
      env,
      workingDir: container.workingDir,
      tcpPorts: served,
      udpPorts: kind === undefined ? ports('UDP') : [],
      mayEnd,
    },
  ];
}

/**
 * ash is the shell of busybox and alpine; what runs as sh on this machine stands in for it. Arguments alone are a program
 * where the image has none of its own; those that begin with a dash are for a program that is not here.
 */
function argvOf({ command, args = [] }: ContainerSpec, standIn: readonly string[] = []): string[] {
  const [program = '', ...rest] = [...(command ?? standIn), ...args].map(String);
  if (program === '' || program.startsWith('-')) return [];
  return [program === 'ash' || program === '/bin/ash' ? 'sh' : program, ...rest];
}

function nameOf({ name }: ContainerSpec, at: number): string {
  return name ?? `container-${at}`;
}

function idleOf(container: ContainerSpec, at: number, standIns: StandIns): IdleContainer[] {
  const { image = '' } = container;
  const runs = argvOf(container).length > 0 || useOfImage(image, standIns) !== undefined;
  return runs ? [] : [{ name: nameOf(container, at), image }];
}
