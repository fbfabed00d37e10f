/**
 * What a Pod document asks of this node: where it lives, how it hangs on the dataplane, who it is. Pure: the annotations
 * are read and checked here, everything that needs the machine happens later.
 */
import { isIP } from 'node:net';
import type { Faults } from '../../policy-maps/condition-map.ts';
import { readFaults } from './fault-text.ts';
import { ANNOTATIONS } from '../../policy/document/annotations.ts';
import type { Document } from '../../policy/document/document.ts';
import { listedAddresses } from '../../policy/document/address.ts';
import { podNames, type PodNames } from '../../policy/document/pod-names.ts';
import { hasFinished } from '../../policy/document/pod.ts';
import { ShapedPod } from '../../policy/document/shaped-pod.ts';
import { ATTACH_MODES, type AttachMode } from '../../wire/port-kinds.ts';

export interface PodPlan {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly nodeName: string;
  readonly ports: readonly NamedPort[];
  readonly workloads: readonly { readonly kind: string; readonly name: string }[];
  /**
   * `local`: an endpoint of this node. `external`: one outside, attached so that a rig may have an outside; it has no
   * identity but that of its address. `remote`: on another node. `host`: in the host's network namespace. `none`: it has
   * run to its end, and has no network any more.
   */
  readonly place: 'local' | 'external' | 'remote' | 'host' | 'none';
  readonly netns: string;
  readonly mode: AttachMode | 'existing';
  /** Host-side interface of mode `existing`. */
  readonly interface: string;
  /** '' = derived from the name, or found on the interface. */
  readonly mac: string;
  /** Faults in what the pod sends; null for none, undefined as the configuration has it. */
  readonly faults: Faults | null | undefined;
  /** The frames of the pod's port are told in the dataplane's log. */
  readonly isTraced: boolean;
  /** What it is called, and how it looks names up. */
  readonly names: PodNames;
  /** Addresses that the document gives. */
  readonly addresses: readonly string[];
  /** Of a pod that a container runtime attaches. */
  readonly runtime?: RuntimePlace;
}

/** What a container runtime says of an interface that it wants. */
export interface RuntimePlace {
  readonly podInterface: string;
  /** Others have given it its addresses: none is drawn. */
  readonly hasOwnAddresses: boolean;
  /** 0 = as configured. */
  readonly mtu: number;
}

/** A container port with a name, as policies may refer to it. */
export interface NamedPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
}

/** What is wrong with a pod, and where in its document. */
export interface PodProblem {
  readonly path: readonly (string | number)[];
  /** `found X, wanted Y`. */
  readonly message: string;
}

export interface PlanOptions {
  readonly netnsPrefix: string;
  readonly nodeName: string;
  readonly attach: AttachMode;
}

/** What is read of a Pod object; readDocuments() has checked the shape. */
interface PodObject {
  readonly metadata?: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly {
      readonly kind: string;
      readonly name: string;
      readonly controller?: boolean;
    }[];
  };
  readonly spec?: PodSpec;
}

interface PodSpec {
  readonly serviceAccountName?: string;
  readonly nodeName?: string;
  readonly hostNetwork?: boolean;
  readonly containers?: readonly {
    readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[];
  }[];
}

/**
 * Reads a Pod document.
 * @returns the plan, and what is wrong with its annotations or addresses; a pod with problems is not attached
 */
export function planPod(document: Document, options: PlanOptions): { plan: PodPlan; problems: PodProblem[] } {
  const { namespace, name, labels, annotations, object } = document;
  const { spec = {} } = object as PodObject;
  const plan: PodPlan = {
    key: `${namespace}/${name}`,
    namespace,
    name,
    labels,
    serviceAccount: spec.serviceAccountName ?? 'default',
    nodeName: spec.nodeName ?? '',
    ports: namedPorts(spec),
    workloads: workloadsOfPod(document),
    place: placeOf(document, options),
    netns: annotations[ANNOTATIONS.netns] ?? `${options.netnsPrefix}${namespace}-${name}`,
    mode: modeOf(annotations, options),
    interface: annotations[ANNOTATIONS.interface] ?? '',
    mac: (annotations[ANNOTATIONS.mac] ?? '').toLowerCase(),
    faults:
      annotations[ANNOTATIONS.fault] === undefined ? undefined : readFaults(annotations[ANNOTATIONS.fault]).faults,
    isTraced: annotations[ANNOTATIONS.trace] === 'true',
    names: podNames(object),
    addresses: [...new Set(listedAddresses(object).map(({ address }) => address))],
  };
  return { plan, problems: problemsOf(plan, document) };
}

function placeOf({ annotations, object }: Document, { nodeName }: PlanOptions): PodPlan['place'] {
  const { spec = {} } = object as PodObject;
  if (hasFinished({ object })) return 'none';
  const node = spec.nodeName ?? '';
  const isHere = node === '' || node === nodeName;
  if (spec.hostNetwork === true) return isHere ? 'host' : 'remote';
  if (annotations[ANNOTATIONS.external] === 'true') return 'external';
  return isHere ? 'local' : 'remote';
}

function modeOf(annotations: Readonly<Record<string, string>>, { attach }: PlanOptions): PodPlan['mode'] {
  if (annotations[ANNOTATIONS.interface] !== undefined) return 'existing';
  // An uplink is an AF_PACKET port to the dataplane, so an outsider never hangs on a TAP.
  if (annotations[ANNOTATIONS.external] === 'true') return 'veth';
  return ATTACH_MODES.find((mode) => mode === annotations[ANNOTATIONS.attach]) ?? attach;
}

function namedPorts({ containers = [] }: PodSpec): NamedPort[] {
  return containers
    .flatMap(({ ports = [] }) => ports)
    .flatMap(({ name, containerPort, protocol = 'TCP' }) =>
      name === undefined ? [] : [{ name, port: containerPort, protocol }],
    );
}

/** What a pod is of, as `workloads` of its plan. */
export function workloadsOfPod(document: Document): PodPlan['workloads'] {
  if (document instanceof ShapedPod) return document.shape.workloads(() => workloadsOf(document.object));
  return workloadsOf(document.object);
}

/** The owner as Hubble shows it: a ReplicaSet is named after its Deployment, with a hash at the end. */
function workloadsOf(object: Document['object']): { kind: string; name: string }[] {
  const { metadata = {} } = object as PodObject;
  const owners = metadata.ownerReferences ?? [];
  const owner = owners.find(({ controller }) => controller === true) ?? owners[0];
  if (owner === undefined) return [];
  const hash = metadata.labels?.['pod-template-hash'];
  const isOfDeployment = owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`);
  if (!isOfDeployment) return [{ kind: owner.kind, name: owner.name }];
  return [{ kind: 'Deployment', name: owner.name.slice(0, -hash.length - 1) }];
}

/** Names go into commands of `ip`: what could be anything but a name is refused. */
function problemsOf(plan: PodPlan, { annotations }: Document): PodProblem[] {
  const problems: PodProblem[] = [];
  const wrong = (path: PodProblem['path'], found: string, wanted: string) =>
    problems.push({ path, message: `found "${found}", wanted ${wanted}` });
  const at = (annotation: string) => ['metadata', 'annotations', annotation];
  if (!/^(?!.*\.\.)[A-Za-z0-9._/-]{1,250}$/.test(plan.netns))
    wrong(at(ANNOTATIONS.netns), plan.netns, 'a name or path of [A-Za-z0-9._/-]');
  const asked = annotations[ANNOTATIONS.attach];
  if (asked !== undefined && !ATTACH_MODES.some((mode) => mode === asked))
    wrong(at(ANNOTATIONS.attach), asked, ATTACH_MODES.join(', ').replace(/, (?=\w+$)/, ' or '));
  for (const name of [ANNOTATIONS.external, ANNOTATIONS.trace]) {
    const answer = annotations[name];
    if (answer !== undefined && answer !== 'true' && answer !== 'false')
      wrong(at(name), answer, 'true or false, in quotes');
  }
  const faults = annotations[ANNOTATIONS.fault] ?? '';
  const { problem } = readFaults(faults);
  if (problem !== undefined) wrong(at(ANNOTATIONS.fault), faults, problem);
  if (plan.mac !== '' && !isUnicastMac(plan.mac))
    wrong(at(ANNOTATIONS.mac), plan.mac, 'a unicast MAC such as 02:00:00:00:00:01');
  if (plan.mode === 'existing' && !/^[A-Za-z0-9._-]{1,15}$/.test(plan.interface)) {
    wrong(at(ANNOTATIONS.interface), plan.interface, 'the name of an interface');
  }
  for (const family of [4, 6]) {
    const same = plan.addresses.filter((address) => isIP(address) === family);
    if (same.length > 1) wrong(['status', 'podIPs'], same.join(', '), `one IPv${family} address`);
  }
  const given = { existing: ANNOTATIONS.interface, external: ANNOTATIONS.external };
  const bringsItsOwn =
    plan.place === 'external' ? given.external : plan.mode === 'existing' ? given.existing : undefined;
  if (bringsItsOwn !== undefined && plan.addresses.length === 0) {
    const message = 'found no status.podIP, wanted the addresses that the pod has: they are not ours to choose';
    problems.push({ path: at(bringsItsOwn), message });
  }
  return problems;
}

function isUnicastMac(mac: string): boolean {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
}
