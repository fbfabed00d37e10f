/**
 * What Kubernetes fills in where nothing was written. A structure of the table may have a function here, which completes an object of it
 * before its parts are completed; fields with one constant default, and objects that are always there, are marked in the table itself.
 *
 * What needs to know other objects (addresses of a Service, names of a pod's owner) is for whoever stores the object.
 */
import { AFFINITY_SEC } from '../../policy/document/service.ts';
import { isList, isObject, type Plain, type PlainObject, textOf } from '../patch/plain.ts';
import { type Draft, defaultPod, defaultPodSpec, pullPolicy } from './pod-defaults.ts';
import { type ObjectStructure, type Structure, structureOfField } from './structure.ts';

/** @returns the object with its defaults; it and its parts may be frozen */
export function withDefaults(object: PlainObject, structure: ObjectStructure): PlainObject {
  return complete(object, structure, true) as PlainObject;
}

function complete(value: Plain, structure: Structure, isWhole = false): Plain {
  if (structure.kind === 'list') return isList(value) ? value.map((item) => complete(item, structure.of)) : value;
  if (!isObject(value)) return value;
  if (structure.kind === 'map')
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, complete(inner, structure.of)]));
  if (structure.kind !== 'object') return value;
  const draft: Draft = { ...value };
  const isStatus = structure.name.endsWith('Status');
  // Of metadata, the storage fills in what there must be.
  const isLeft = (name: string) => isWhole && name === 'metadata';
  DEFAULTS[structure.name]?.(draft);
  for (const { name, byDefault, isAlways, isRequired, structure: inner } of structure.fields.values()) {
    if ((Object.hasOwn(draft, name) && draft[name] !== undefined) || isLeft(name)) continue;
    if (byDefault !== undefined) draft[name] = structuredClone(byDefault);
    else if (isAlways === true) draft[name] = {};
    else if (isRequired && inner.kind === 'integer' && isStatus) draft[name] = 0;
  }
  for (const [name, inner] of Object.entries(draft)) {
    const field = structureOfField(structure, name);
    if (field !== undefined && !isLeft(name)) draft[name] = complete(inner as Plain, field);
  }
  return draft as PlainObject;
}

/** Sets fields that are not there. */
function fill(draft: Draft, fields: Readonly<Draft>): void {
  for (const [name, value] of Object.entries(fields)) draft[name] ??= value;
}

const always =
  (fields: Readonly<Draft>): ((draft: Draft) => void) =>
  (draft) =>
    fill(draft, structuredClone(fields));

/** An object of it, with these fields where it has none. */
const over = (value: unknown, fields: Readonly<Draft>): Draft => ({
  ...fields,
  ...(isObject(value) ? value : {}),
});

const FILE_MODE = 0o644;
const ROLLING = 'RollingUpdate';

const DEFAULTS: Readonly<Record<string, (draft: Draft) => void>> = {
  'core.v1.Pod': defaultPod,
  'core.v1.PodSpec': defaultPodSpec,
  'core.v1.Container': (container) => {
    fill(container, { terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' });
    fill(container, { imagePullPolicy: pullPolicy(textOf(container['image'] as Plain | undefined)) });
  },
  'core.v1.Probe': always({ timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }),
  'core.v1.HTTPGetAction': always({ path: '/', scheme: 'HTTP' }),
  'core.v1.ObjectFieldSelector': always({ apiVersion: 'v1' }),
  'core.v1.Volume': (volume) => {
    if (Object.keys(volume).every((name) => name === 'name')) volume['emptyDir'] = {};
  },
  'core.v1.ConfigMapVolumeSource': always({ defaultMode: FILE_MODE }),
  'core.v1.SecretVolumeSource': always({ defaultMode: FILE_MODE }),
  'core.v1.DownwardAPIVolumeSource': always({ defaultMode: FILE_MODE }),
  'core.v1.ProjectedVolumeSource': always({ defaultMode: FILE_MODE }),
  'core.v1.ServiceAccountTokenProjection': always({ expirationSeconds: 3600 }),
  'core.v1.HostPathVolumeSource': always({ type: '' }),
  'core.v1.Secret': defaultSecret,
  'core.v1.Namespace': defaultNamespace,
  'core.v1.ServiceSpec': defaultService,
  'core.v1.ReplicationController': (controller) => {
    const { labels } = over(over(over(controller['spec'], {})['template'], {})['metadata'], {});
    if (!isObject(labels)) return;
    controller['spec'] = over(controller['spec'], { selector: labels });
    controller['metadata'] = over(controller['metadata'], { labels });
  },
  'core.v1.ReplicationControllerSpec': always({ replicas: 1 }),
  'core.v1.PersistentVolumeClaim': (claim) => {
    claim['status'] = over(claim['status'], { phase: 'Pending' });
  },
  'core.v1.PersistentVolumeClaimSpec': always({ volumeMode: 'Filesystem' }),
  'apps.v1.DeploymentSpec': (spec) => {
    fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
    spec['strategy'] = rolling(spec['strategy'], { maxUnavailable: '25%', maxSurge: '25%' });
  },
  'apps.v1.ReplicaSetSpec': always({ replicas: 1 }),
  'apps.v1.StatefulSetSpec': (spec) => {
    fill(spec, { replicas: 1, revisionHistoryLimit: 10, podManagementPolicy: 'OrderedReady' });
    const retention = { whenDeleted: 'Retain', whenScaled: 'Retain' };
    spec['persistentVolumeClaimRetentionPolicy'] = over(spec['persistentVolumeClaimRetentionPolicy'], retention);
    spec['updateStrategy'] = rolling(spec['updateStrategy'], { partition: 0, maxUnavailable: 1 });
    const claims = spec['volumeClaimTemplates'] as Plain | undefined;
    const named = { apiVersion: 'v1', kind: 'PersistentVolumeClaim' };
    if (isList(claims)) spec['volumeClaimTemplates'] = claims.map((claim) => over(claim, named));
  },
  'apps.v1.StatefulSetStatus': always({ availableReplicas: 0 }),
  'apps.v1.DaemonSetSpec': (spec) => {
    fill(spec, { revisionHistoryLimit: 10 });
    spec['updateStrategy'] = rolling(spec['updateStrategy'], { maxUnavailable: 1, maxSurge: 0 });
  },
  // Not of a CronJob's template: its jobs get them when they are made.
  'batch.v1.Job': (job) => {
    const spec = over(job['spec'], {});
    if (spec['completions'] === undefined && spec['parallelism'] === undefined) spec['completions'] = 1;
    fill(spec, { parallelism: 1, backoffLimit: 6, completionMode: 'NonIndexed', suspend: false });
    fill(spec, { podReplacementPolicy: spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed' });
    job['spec'] = spec;
  },
  'batch.v1.CronJobSpec': always({
    concurrencyPolicy: 'Allow',
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
  }),
  'networking.v1.NetworkPolicySpec': (spec) => {
    const egress = spec['egress'] as Plain | undefined;
    fill(spec, { policyTypes: isList(egress) && egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'] });
  },
  'networking.v1.NetworkPolicyPort': always({ protocol: 'TCP' }),
  'core.v1.EndpointPort': always({ protocol: 'TCP' }),
  'discovery.v1.EndpointPort': always({ name: '', protocol: 'TCP' }),
  '^apiextensions.v1.CustomResourceDefinitionSpec': (spec) => {
    fill(spec, { conversion: { strategy: 'None' } });
    const kind = textOf(over(spec['names'], {})['kind'] as Plain | undefined);
    if (kind !== '') spec['names'] = over(spec['names'], { singular: kind.toLowerCase(), listKind: `${kind}List` });
  },
};

function rolling(strategy: unknown, fields: Readonly<Draft>): Draft {
  const given = over(strategy, { type: ROLLING });
  return given['type'] === ROLLING ? { ...given, rollingUpdate: over(given['rollingUpdate'], fields) } : given;
}

function defaultSecret(secret: Draft): void {
  const texts = secret['stringData'] as Plain | undefined;
  fill(secret, { type: 'Opaque' });
  if (!isObject(texts)) return;
  const encoded = Object.entries(texts).map(([name, text]) => [name, Buffer.from(textOf(text)).toString('base64')]);
  secret['data'] = { ...over(secret['data'], {}), ...(Object.fromEntries(encoded) as PlainObject) };
  delete secret['stringData'];
}

function defaultNamespace(namespace: Draft): void {
  const metadata = over(namespace['metadata'], {});
  const { name, deletionTimestamp } = metadata;
  if (name !== undefined)
    namespace['metadata'] = {
      ...metadata,
      labels: { ...over(metadata['labels'], {}), 'kubernetes.io/metadata.name': name as string },
    };
  if (deletionTimestamp !== undefined) return;
  namespace['spec'] = over(namespace['spec'], { finalizers: ['kubernetes'] });
  namespace['status'] = over(namespace['status'], { phase: 'Active' });
}

function defaultService(spec: Draft): void {
  fill(spec, { type: 'ClusterIP', sessionAffinity: 'None' });
  const { type, ports, externalIPs } = spec as PlainObject;
  if (spec['sessionAffinity'] === 'ClientIP')
    fill(spec, { sessionAffinityConfig: { clientIP: { timeoutSeconds: AFFINITY_SEC } } });
  if (type !== 'ExternalName') fill(spec, { internalTrafficPolicy: 'Cluster' });
  const hasOutside = type === 'ClusterIP' && isList(externalIPs) && externalIPs.length > 0;
  if (type === 'NodePort' || type === 'LoadBalancer' || hasOutside) fill(spec, { externalTrafficPolicy: 'Cluster' });
  if (type === 'LoadBalancer') fill(spec, { allocateLoadBalancerNodePorts: true });
  if (isList(ports)) spec['ports'] = ports.map((port) => (isObject(port) ? withTarget(port) : port));
}

function withTarget(port: PlainObject): PlainObject {
  const { targetPort } = port;
  const isGiven = targetPort !== undefined && targetPort !== 0 && targetPort !== '';
  return isGiven ? port : { ...port, targetPort: port['port'] ?? 0 };
}
