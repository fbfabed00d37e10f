/** Field selectors as text: `status.phase!=Running,spec.nodeName=vm`. Which fields each kind knows is as Kubernetes has it. */
import type { Resource } from '../resources/resource.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';

const EVERY = ['metadata.name', 'metadata.namespace'];
const EVENT_FIELDS = [
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'reason',
  'reportingComponent',
  'source',
  'type',
];
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  events: EVENT_FIELDS,
  secrets: ['type'],
  namespaces: ['status.phase'],
  nodes: ['spec.unschedulable'],
  services: ['spec.clusterIP', 'spec.type'],
  replicationcontrollers: ['status.replicas'],
  'replicasets.apps': ['status.replicas'],
  'jobs.batch': ['status.successful'],
};
/** What an object does not say that has a default. */
const UNSAID: Readonly<Record<string, string>> = {
  'spec.unschedulable': 'false',
  'spec.hostNetwork': 'false',
  'status.replicas': '0',
  'status.successful': '0',
};

/** @returns a function that answers whether an object matches @throws StatusError 400 */
export function fieldSelector({ name }: Pick<Resource, 'name'>, text: string): (object: KubeObject) => boolean {
  const known = [...EVERY, ...(Object.hasOwn(FIELDS, name) ? FIELDS[name] : [])];
  const wanted = split(text).map((term) => requirement(term, known));
  return (object) => wanted.every(({ field, value, isEqual }) => (fieldOf(object, field) === value) === isEqual);
}

/** The name that a selector wants, when it wants one: a watch of one object asks so. */
export function selectedName(text: string): string | undefined {
  const [, name] = /^metadata\.name==?([^,\\]+)$/.exec(text) ?? [];
  return name;
}

function requirement(term: string, known: readonly string[]) {
  const [match, field, operator, value] = /^([^!=]+)(!=|==?)(.*)$/s.exec(term) ?? [];
  if (match === undefined)
    throw StatusError.badRequest(
      `invalid field selector: found ${JSON.stringify(term.slice(0, 100))}, wanted FIELD=VALUE or FIELD!=VALUE`,
    );
  if (!known.includes(field))
    throw StatusError.badRequest(`field label not supported: ${field.slice(0, 100)} (known: ${known.join(', ')})`);
  return { field, value: value.replace(/\\(.)/gs, '$1'), isEqual: operator !== '!=' };
}

function fieldOf(object: KubeObject, path: string): string {
  if (path === 'source') return (object['source'] as { component?: string } | undefined)?.component ?? '';
  let value: unknown = object;
  for (const part of path.split('.')) value = (value as Record<string, unknown> | undefined | null)?.[part];
  if (value === undefined || value === null) return UNSAID[path] ?? '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** At commas that no backslash stands before. */
function split(text: string): string[] {
  return text.match(/(?:[^,\\]|\\.)+/gs)?.map((one) => one.trim()) ?? [];
}
