/** The resources that are there without a CustomResourceDefinition, one row each. */
import { ALL_VERBS, CREATE_ONLY, READ_VERBS, type Resource, resourceName, type Subresource } from './resource.ts';

/** What a row says; the rest follows from the kind. */
interface Row {
  readonly kind: string;
  readonly plural: string;
  readonly short?: readonly string[];
  readonly categories?: readonly string[];
  readonly isClusterScoped?: true;
  readonly verbs?: readonly string[];
  readonly versions?: readonly string[];
  /** Its writes take subresources of these names; `status` and `scale` are enough to say. */
  readonly sub?: readonly (string | Subresource)[];
  readonly isInert?: true;
}

const STATUS_VERBS = ['get', 'patch', 'update'];
const PARAMETERS: Readonly<Record<string, Omit<Subresource, 'name'>>> = {
  scale: { kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: STATUS_VERBS },
  eviction: { kind: 'Eviction', group: 'policy', version: 'v1', verbs: CREATE_ONLY },
  binding: { kind: 'Binding', verbs: CREATE_ONLY },
  exec: { kind: 'PodExecOptions', verbs: ['create', 'get'] },
  attach: { kind: 'PodAttachOptions', verbs: ['create', 'get'] },
  portforward: { kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
  log: { kind: 'Pod', verbs: ['get'] },
};

const WORKLOAD_CATEGORIES = ['all'];
const CILIUM_CATEGORIES = ['cilium'];
const CILIUM_POLICY_CATEGORIES = ['cilium', 'ciliumpolicy'];

const CORE: readonly Row[] = [
  { kind: 'Namespace', plural: 'namespaces', short: ['ns'], isClusterScoped: true, sub: ['status', 'finalize'] },
  {
    kind: 'Pod',
    plural: 'pods',
    short: ['po'],
    categories: WORKLOAD_CATEGORIES,
    sub: ['status', 'binding', 'eviction', 'exec', 'attach', 'portforward', 'log', 'ephemeralcontainers'],
  },
  { kind: 'Service', plural: 'services', short: ['svc'], categories: WORKLOAD_CATEGORIES, sub: ['status'] },
  { kind: 'Endpoints', plural: 'endpoints', short: ['ep'] },
  { kind: 'Node', plural: 'nodes', short: ['no'], isClusterScoped: true, sub: ['status'] },
  { kind: 'ConfigMap', plural: 'configmaps', short: ['cm'] },
  { kind: 'Secret', plural: 'secrets' },
  { kind: 'ServiceAccount', plural: 'serviceaccounts', short: ['sa'] },
  { kind: 'Event', plural: 'events', short: ['ev'] },
  { kind: 'Binding', plural: 'bindings', verbs: CREATE_ONLY },
  {
    kind: 'ReplicationController',
    plural: 'replicationcontrollers',
    short: ['rc'],
    categories: WORKLOAD_CATEGORIES,
    sub: ['status', 'scale'],
  },
  {
    kind: 'PersistentVolume',
    plural: 'persistentvolumes',
    short: ['pv'],
    isClusterScoped: true,
    sub: ['status'],
    isInert: true,
  },
  { kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims', short: ['pvc'], sub: ['status'], isInert: true },
  { kind: 'LimitRange', plural: 'limitranges', short: ['limits'], isInert: true },
  { kind: 'ResourceQuota', plural: 'resourcequotas', short: ['quota'], sub: ['status'], isInert: true },
];

const APPS: readonly Row[] = [
  {
    kind: 'Deployment',
    plural: 'deployments',
    short: ['deploy'],
    categories: WORKLOAD_CATEGORIES,
    sub: ['status', 'scale'],
  },
  {
    kind: 'ReplicaSet',
    plural: 'replicasets',
    short: ['rs'],
    categories: WORKLOAD_CATEGORIES,
    sub: ['status', 'scale'],
  },
  {
    kind: 'StatefulSet',
    plural: 'statefulsets',
    short: ['sts'],
    categories: WORKLOAD_CATEGORIES,
    sub: ['status', 'scale'],
  },
  { kind: 'DaemonSet', plural: 'daemonsets', short: ['ds'], categories: WORKLOAD_CATEGORIES, sub: ['status'] },
  { kind: 'ControllerRevision', plural: 'controllerrevisions' },
];

const CILIUM: readonly Row[] = [
  {
    kind: 'CiliumNetworkPolicy',
    plural: 'ciliumnetworkpolicies',
    short: ['cnp', 'ciliumnp'],
    categories: CILIUM_POLICY_CATEGORIES,
    sub: ['status'],
  },
  {
    kind: 'CiliumClusterwideNetworkPolicy',
    plural: 'ciliumclusterwidenetworkpolicies',
    short: ['ccnp'],
    categories: CILIUM_POLICY_CATEGORIES,
    isClusterScoped: true,
    sub: ['status'],
  },
  {
    kind: 'CiliumCIDRGroup',
    plural: 'ciliumcidrgroups',
    short: ['ccg'],
    categories: CILIUM_CATEGORIES,
    isClusterScoped: true,
    versions: ['v2', 'v2alpha1'],
  },
  {
    kind: 'CiliumEgressGatewayPolicy',
    plural: 'ciliumegressgatewaypolicies',
    short: ['cegp'],
    categories: CILIUM_POLICY_CATEGORIES,
    isClusterScoped: true,
  },
  {
    kind: 'CiliumEndpoint',
    plural: 'ciliumendpoints',
    short: ['cep', 'ciliumep'],
    categories: CILIUM_CATEGORIES,
    verbs: READ_VERBS,
  },
  {
    kind: 'CiliumIdentity',
    plural: 'ciliumidentities',
    short: ['ciliumid'],
    categories: CILIUM_CATEGORIES,
    isClusterScoped: true,
    verbs: READ_VERBS,
  },
  {
    kind: 'CiliumNode',
    plural: 'ciliumnodes',
    short: ['cn', 'ciliumn'],
    categories: CILIUM_CATEGORIES,
    isClusterScoped: true,
    verbs: READ_VERBS,
  },
];

const RBAC: readonly Row[] = [
  { kind: 'Role', plural: 'roles', isInert: true },
  { kind: 'RoleBinding', plural: 'rolebindings', isInert: true },
  { kind: 'ClusterRole', plural: 'clusterroles', isClusterScoped: true, isInert: true },
  { kind: 'ClusterRoleBinding', plural: 'clusterrolebindings', isClusterScoped: true, isInert: true },
];

const asked = (kind: string, plural: string): Row => ({ kind, plural, isClusterScoped: true, verbs: CREATE_ONLY });

/** Group -> its rows, in the order of discovery. */
const GROUPS: Readonly<Record<string, readonly Row[]>> = {
  '': CORE,
  apps: APPS,
  batch: [
    { kind: 'Job', plural: 'jobs', categories: WORKLOAD_CATEGORIES, sub: ['status'] },
    { kind: 'CronJob', plural: 'cronjobs', short: ['cj'], categories: WORKLOAD_CATEGORIES, sub: ['status'] },
  ],
  'networking.k8s.io': [
    { kind: 'NetworkPolicy', plural: 'networkpolicies', short: ['netpol'] },
    { kind: 'Ingress', plural: 'ingresses', short: ['ing'], sub: ['status'], isInert: true },
    { kind: 'IngressClass', plural: 'ingressclasses', isClusterScoped: true, isInert: true },
  ],
  'cilium.io': CILIUM,
  'discovery.k8s.io': [{ kind: 'EndpointSlice', plural: 'endpointslices' }],
  'events.k8s.io': [{ kind: 'Event', plural: 'events', short: ['ev'] }],
  'coordination.k8s.io': [{ kind: 'Lease', plural: 'leases' }],
  'apiextensions.k8s.io': [
    {
      kind: 'CustomResourceDefinition',
      plural: 'customresourcedefinitions',
      short: ['crd', 'crds'],
      categories: ['api-extensions'],
      isClusterScoped: true,
      sub: ['status'],
    },
  ],
  'authentication.k8s.io': [asked('TokenReview', 'tokenreviews'), asked('SelfSubjectReview', 'selfsubjectreviews')],
  'authorization.k8s.io': [
    { kind: 'LocalSubjectAccessReview', plural: 'localsubjectaccessreviews', verbs: CREATE_ONLY },
    asked('SelfSubjectAccessReview', 'selfsubjectaccessreviews'),
    asked('SelfSubjectRulesReview', 'selfsubjectrulesreviews'),
    asked('SubjectAccessReview', 'subjectaccessreviews'),
  ],
  autoscaling: [
    {
      kind: 'HorizontalPodAutoscaler',
      plural: 'horizontalpodautoscalers',
      short: ['hpa'],
      categories: WORKLOAD_CATEGORIES,
      versions: ['v2'],
      sub: ['status'],
      isInert: true,
    },
  ],
  policy: [
    { kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets', short: ['pdb'], sub: ['status'], isInert: true },
  ],
  'rbac.authorization.k8s.io': RBAC,
  'scheduling.k8s.io': [
    { kind: 'PriorityClass', plural: 'priorityclasses', short: ['pc'], isClusterScoped: true, isInert: true },
  ],
  'storage.k8s.io': [
    { kind: 'StorageClass', plural: 'storageclasses', short: ['sc'], isClusterScoped: true, isInert: true },
  ],
};

const VERSION_OF: Readonly<Record<string, string>> = { 'cilium.io': 'v2' };

/** Events of `events.k8s.io` are those of the core, in another form. */
const STORED_AS: Readonly<Record<string, string>> = { 'events.events.k8s.io': 'events' };

export function builtInResources(): Resource[] {
  return Object.entries(GROUPS).flatMap(([group, rows]) => rows.map((row) => resourceOf(group, row)));
}

function resourceOf(group: string, row: Row): Resource {
  const { kind, plural, short = [], categories = [], sub = [], verbs = ALL_VERBS } = row;
  const name = resourceName(group, plural);
  return {
    name: STORED_AS[name] ?? name,
    group,
    versions: row.versions ?? [VERSION_OF[group] ?? 'v1'],
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames: short,
    categories,
    isNamespaced: row.isClusterScoped !== true,
    verbs,
    subresources: sub.map((one) => (typeof one === 'string' ? subresourceOf(one, kind) : one)),
    isInert: row.isInert === true,
    isCustom: group === 'cilium.io',
  };
}

function subresourceOf(name: string, kind: string): Subresource {
  return { name, ...(PARAMETERS[name] ?? { kind, verbs: STATUS_VERBS }) };
}
