/** The same write by a real API server and by `Writes`, and what differs between them. */
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import { StatusError } from '../../apiserver/storage/status-error.ts';
import { Structures } from '../../apiserver/openapi/structures.ts';
import { type WriteOptions, Writes } from '../../apiserver/patch/writes.ts';
import type { RealApi } from './real-api.ts';

export type Operation = 'create' | 'put' | 'strategic' | 'merge' | 'json' | 'apply';

export interface Step {
  readonly operation: Operation;
  readonly body: any;
  readonly manager?: string;
  readonly isForced?: boolean;
  readonly subresource?: string;
}

const TYPES = {
  strategic: 'application/strategic-merge-patch+json',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};
/** Long after everything that the real server writes: order goes by time. */
const TIME = '2099-01-01T00:00:00Z';

const FOLDERS: Readonly<Record<string, string>> = {
  v1: '/api/v1',
  'apps/v1': '/apis/apps/v1',
  'batch/v1': '/apis/batch/v1',
  'networking.k8s.io/v1': '/apis/networking.k8s.io/v1',
  'discovery.k8s.io/v1': '/apis/discovery.k8s.io/v1',
  'coordination.k8s.io/v1': '/apis/coordination.k8s.io/v1',
};

/** Where objects of a kind lie, in the namespace default. */
function folderOf({ apiVersion, kind }: { apiVersion: string; kind: string }): string {
  const plural = { NetworkPolicy: 'networkpolicies', Endpoints: 'endpoints' }[kind] ?? `${kind.toLowerCase()}s`;
  const isCluster = kind === 'Namespace' || kind === 'Node';
  return `${FOLDERS[apiVersion]}/${isCluster ? '' : 'namespaces/default/'}${plural}`;
}

const writes = new Writes(new Structures());

export interface Compared {
  /** Without what each server makes of its own: uids, times, versions. */
  readonly ours: unknown;
  readonly real: unknown;
}

/** Makes the steps on one object, each upon what the real server has after the one before. */
export async function* compared(api: RealApi, steps: readonly Step[]): AsyncGenerator<Compared & { name: string }> {
  const [first] = steps;
  const folder = folderOf(first.body);
  const { name } = first.body.metadata as { name: string };
  let live: KubeObject | undefined;
  for (const [index, step] of steps.entries()) {
    const real = await asked(api, step, folder, name);
    const ours = written(live, step);
    yield {
      name: `${index}: ${step.operation} ${JSON.stringify(step.body).slice(0, 100)}`,
      ...(await told(ours, real)),
    };
    if (real.code < 400) live = real.body as KubeObject;
  }
  await api.ask('DELETE', `${folder}/${name}?gracePeriodSeconds=0`);
}

function asked(
  api: RealApi,
  { operation, body, manager = 'm', isForced, subresource }: Step,
  folder: string,
  name: string,
) {
  const query = new URLSearchParams({
    fieldManager: manager,
    fieldValidation: 'Warn',
    ...(operation === 'apply' && { force: String(isForced === true) }),
  });
  if (operation === 'create') return api.ask('POST', `${folder}?${query.toString()}`, body);
  const path = `${folder}/${name}${subresource === undefined ? '' : `/${subresource}`}?${query.toString()}`;
  return operation === 'put' ? api.ask('PUT', path, body) : api.ask('PATCH', path, body, TYPES[operation]);
}

function written(
  live: KubeObject | undefined,
  { operation, body, manager = 'm', isForced = false, subresource = '' }: Step,
) {
  const options: WriteOptions = { manager, isForced, subresource, mode: 'Warn', time: TIME };
  const plain = JSON.parse(JSON.stringify(body));
  try {
    if (operation === 'create') return writes.create(plain, options).object;
    if (operation === 'apply') return writes.apply(live, plain, options).object;
    if (operation === 'put') return writes.replace(live!, plain, options).object;
    return writes.patch(live!, TYPES[operation], plain, options).object;
  } catch (error) {
    return error as Error;
  }
}

async function told(ours: KubeObject | Error, real: { code: number; body: any }): Promise<Compared> {
  if (real.code < 400) return { ours: ours instanceof Error ? `${ours.stack}` : bare(ours), real: bare(real.body) };
  if (!(ours instanceof StatusError))
    return { ours: ours instanceof Error ? `${ours.stack}` : 'written', real: real.body.message };
  // What is wrong is said in other words, of the same fields.
  const fields = (causes: readonly { field: string }[] | undefined) =>
    [...new Set((causes ?? []).map(({ field }) => field))].filter((field) => field !== 'patch').sort();
  const isFault = real.body.reason === 'Invalid' || real.body.reason === 'Conflict';
  const refused = { isRefused: true };
  if (!isFault) return { ours: refused, real: refused };
  return {
    ours: { ...refused, fields: fields(ours.details?.causes) },
    real: { ...refused, fields: fields(real.body.details?.causes) },
  };
}

/** Of a Service, the address and ports are the server's to give. */
const GIVEN = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'];

/** Of metadata, what each server makes of its own, or of the path. */
const MADE = ['managedFields', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp'];

function bare(object: any): unknown {
  const managedFields = (object.metadata.managedFields ?? []) as any[];
  const rest = { status: {}, ...structuredClone(object) };
  for (const name of MADE) delete rest.metadata[name];
  if (object.kind === 'Service' && object.spec.clusterIP !== 'None') for (const name of GIVEN) delete rest.spec[name];
  // The rig's server has no admission of service accounts.
  if (object.kind === 'Pod') for (const name of ['serviceAccount', 'serviceAccountName']) delete rest.spec[name];
  const managed = managedFields.map((entry) => {
    const kept = { ...structuredClone(entry), time: undefined };
    return JSON.stringify(sorted(ownable(kept, object.kind)));
  });
  return sorted({ ...rest, managed: managed.sort() });
}

/** What admission sets in a pod, after it has been told who has what. */
const ADMITTED = ['priority', 'preemptionPolicy', 'serviceAccount', 'serviceAccountName', 'tolerations'];

/** Nobody owns what the server gives; ours tells who has what before it gives, the real one's tests come after. */
function ownable(entry: any, kind: string): unknown {
  const spec = entry.fieldsV1['f:spec'];
  if (kind === 'Service' && spec !== undefined) for (const name of GIVEN) delete spec[`f:${name}`];
  if (kind === 'Pod' && spec !== undefined) for (const name of ADMITTED) delete spec[`f:${name}`];
  return entry;
}

function sorted(value: any): any {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}
