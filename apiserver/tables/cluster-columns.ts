/** The columns of nodes, namespaces, events, policies and of what pods are configured with. */
import type { KubeObject } from '../storage/kube-object.ts';
import { ageOf } from './age.ts';
import { AGE, type Column, count, fieldsOf, NAME, text, wide } from './column.ts';
import { selectorText } from './label-text.ts';

interface NodeStatus {
  readonly conditions: readonly { readonly type: string; readonly status?: string }[];
  readonly addresses: readonly { readonly type: string; readonly address?: string }[];
  readonly nodeInfo: Readonly<Record<string, string | undefined>>;
}

const nodeInfo = (node: KubeObject, field: string): string =>
  fieldsOf<NodeStatus>(node, 'status').nodeInfo?.[field] ?? '';

function nodeWords(node: KubeObject): string {
  const ready = (fieldsOf<NodeStatus>(node, 'status').conditions ?? []).find(({ type }) => type === 'Ready')?.status;
  const word = ready === undefined ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady';
  const { unschedulable } = fieldsOf<{ unschedulable: boolean }>(node, 'spec');
  return unschedulable === true ? `${word},SchedulingDisabled` : word;
}

const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';

function nodeRoles({ metadata: { labels = {} } }: KubeObject): string {
  const roles = Object.entries(labels).flatMap(([key, value]) =>
    key.startsWith(ROLE_PREFIX) ? key.slice(ROLE_PREFIX.length) : key === ROLE_LABEL ? value : [],
  );
  return [...new Set(roles.filter((role) => role !== ''))].sort().join(',') || '<none>';
}

function nodeAddress(node: KubeObject, wanted: string): string {
  const { addresses = [] } = fieldsOf<NodeStatus>(node, 'status');
  return addresses.find(({ type }) => type === wanted)?.address ?? '<none>';
}

function kernelText(node: KubeObject): string {
  const architecture = nodeInfo(node, 'architecture');
  const kernel = nodeInfo(node, 'kernelVersion') || '<unknown>';
  return architecture === '' ? kernel : `${kernel} (${architecture})`;
}

export const NODE_COLUMNS: readonly Column[] = [
  NAME,
  text('Status', nodeWords, 'Whether pods can run there.'),
  text('Roles', nodeRoles, 'What its labels call it.'),
  AGE,
  text('Version', (node) => nodeInfo(node, 'kubeletVersion'), 'Of what runs its pods.'),
  ...wide(
    text('Internal-IP', (node) => nodeAddress(node, 'InternalIP'), 'Its address in the cluster.'),
    text('External-IP', (node) => nodeAddress(node, 'ExternalIP'), 'Its address outside of the cluster.'),
    text('OS-Image', (node) => nodeInfo(node, 'osImage') || '<unknown>', 'Its system.'),
    text('Kernel-Version', kernelText, 'Its kernel.'),
    text(
      'Container-Runtime',
      (node) => nodeInfo(node, 'containerRuntimeVersion') || '<unknown>',
      'What starts containers.',
    ),
  ),
];

export const NAMESPACE_COLUMNS: readonly Column[] = [
  NAME,
  text('Status', (object) => fieldsOf<{ phase: string }>(object, 'status').phase ?? '', 'Active, or on its way out.'),
  AGE,
];

interface Event {
  readonly firstTimestamp?: string | null;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly count?: number;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string };
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly involvedObject?: { readonly kind?: string; readonly name?: string; readonly fieldPath?: string };
  readonly source?: { readonly component?: string; readonly host?: string };
  readonly reportingComponent?: string;
  readonly reportingInstance?: string;
}

const eventOf = (object: KubeObject): Event => object as Event;
const firstSeen = ({ firstTimestamp, eventTime }: Event): unknown => firstTimestamp ?? eventTime;

function lastSeen(event: Event): unknown {
  return event.series?.lastObservedTime ?? event.lastTimestamp ?? firstSeen(event);
}

function aboutText({ involvedObject: { kind = '', name = '' } = {} }: Event): string {
  return name === '' ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`;
}

function sourceText({ source = {}, reportingComponent, reportingInstance }: Event): string {
  const component = source.component || (reportingComponent ?? '');
  const instance = source.host || (reportingInstance ?? '');
  return instance === '' ? component : `${component}, ${instance}`;
}

export const EVENT_COLUMNS: readonly Column[] = [
  text('Last Seen', (object, nowMs) => ageOf(lastSeen(eventOf(object)), nowMs), 'How long ago it last happened.'),
  text('Type', (object) => eventOf(object).type ?? '', 'Normal, or a warning.'),
  text('Reason', (object) => eventOf(object).reason ?? '', 'What happened, in one word.'),
  text('Object', (object) => aboutText(eventOf(object)), 'What it happened to.'),
  ...wide(
    text('Subobject', (object) => eventOf(object).involvedObject?.fieldPath ?? '', 'The part that it happened to.'),
    text('Source', (object) => sourceText(eventOf(object)), 'Who told it.'),
  ),
  text('Message', (object) => (eventOf(object).message ?? '').trim(), 'What happened, in a sentence.'),
  ...wide(
    text('First Seen', (object, nowMs) => ageOf(firstSeen(eventOf(object)), nowMs), 'How long ago it first happened.'),
    text('Count', (object) => eventOf(object).series?.count ?? (eventOf(object).count || 1), 'How often it happened.'),
    NAME,
  ),
];

const sizeOf = (fields: unknown): number => Object.keys(fields ?? {}).length;

export const CONFIG_MAP_COLUMNS: readonly Column[] = [
  NAME,
  text('Data', (object) => sizeOf(object['data']) + sizeOf(object['binaryData']), 'How many keys it has.'),
  AGE,
];

export const SECRET_COLUMNS: readonly Column[] = [
  NAME,
  text('Type', (object) => (object['type'] as string | undefined) ?? 'Opaque', 'What it is for.'),
  text('Data', (object) => sizeOf(object['data']), 'How many keys it has.'),
  AGE,
];

export const NETWORK_POLICY_COLUMNS: readonly Column[] = [
  NAME,
  text(
    'Pod-Selector',
    (object) => selectorText(fieldsOf<{ podSelector: object }>(object, 'spec').podSelector, '<none>'),
    'The pods that it is about.',
  ),
  AGE,
];

export const CONTROLLER_REVISION_COLUMNS: readonly Column[] = [
  NAME,
  text(
    'Controller',
    ({ metadata: { ownerReferences = [] } }) => {
      const owner = ownerReferences.find(({ controller }) => controller === true);
      if (owner === undefined) return '<none>';
      const [group, version] = owner.apiVersion.split('/');
      return `${owner.kind.toLowerCase()}${version === undefined ? '' : `.${group}`}/${owner.name}`;
    },
    'Whose template it is.',
  ),
  count('Revision', (object) => object['revision'], 'Which of its templates.'),
  AGE,
];

export const SCALE_COLUMNS: readonly Column[] = [
  { ...NAME, format: '' },
  count('Desired', (object) => fieldsOf<{ replicas: number }>(object, 'spec').replicas, 'Pods wanted.'),
  count('Available', (object) => fieldsOf<{ replicas: number }>(object, 'status').replicas, 'Pods that there are.'),
  AGE,
];

export const NAME_AND_AGE: readonly Column[] = [NAME, AGE];
