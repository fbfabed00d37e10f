/** What Kubernetes fills in of pods, by its defaults and by the admission that every cluster has. */
import { isList, isObject, type Plain, type PlainObject, textOf } from '../patch/plain.ts';

/** An object of one's own, that may be changed. */
export type Draft = Record<string, unknown>;

const UNTIL_MOVED_SEC = 300;
const TAINTS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const LISTS = ['containers', 'initContainers'];

/** Of pods alone; a template's are filled in when a pod is made of it. */
export function defaultPod(pod: Draft): void {
  const given = pod['spec'] as Plain | undefined;
  if (!isObject(given)) return;
  const account = given['serviceAccountName'] ?? given['serviceAccount'] ?? 'default';
  const spec: Record<string, Plain> = {
    enableServiceLinks: true,
    priority: 0,
    preemptionPolicy: 'PreemptLowerPriority',
    ...given,
    serviceAccountName: account,
    serviceAccount: account,
    tolerations: tolerations(given['tolerations']),
  };
  for (const name of LISTS) if (isList(spec[name])) spec[name] = spec[name].map(withRequests);
  const status = pod['status'] as Plain | undefined;
  pod['spec'] = spec;
  pod['status'] = { phase: 'Pending', qosClass: qosClass(spec), ...(isObject(status) ? status : {}) };
}

export function defaultPodSpec(spec: Draft): void {
  spec['restartPolicy'] ??= 'Always';
  spec['dnsPolicy'] ??= 'ClusterFirst';
  spec['terminationGracePeriodSeconds'] ??= 30;
  spec['securityContext'] ??= {};
  spec['schedulerName'] ??= 'default-scheduler';
  if (spec['hostNetwork'] !== true) return;
  for (const name of LISTS) {
    const list = spec[name] as Plain | undefined;
    if (isList(list)) spec[name] = list.map(withHostPorts);
  }
}

/** @returns `Always` of an image that may be another tomorrow: one without a tag, or of `latest` */
export function pullPolicy(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const [, tag = 'latest'] = /:([^/:]+)$/.exec(image) ?? [];
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function tolerations(given: Plain | undefined): Plain[] {
  const all = isList(given) ? given : [];
  const tolerates = (taint: string) =>
    all.some((one) => {
      if (!isObject(one)) return false;
      const { key = '', operator, effect = '' } = one;
      const isOfKey = key === taint || (key === '' && operator === 'Exists');
      return isOfKey && (effect === '' || effect === 'NoExecute');
    });
  const missing = TAINTS.filter((taint) => !tolerates(taint));
  const rest = { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: UNTIL_MOVED_SEC };
  return [...all, ...missing.map((key) => ({ key, ...rest }))];
}

const objectOf = (value: Plain | undefined): PlainObject => (isObject(value) ? value : {});

/** What a container may use at most, it asks for, where it does not say. */
function withRequests(container: Plain): Plain {
  const resources = objectOf(objectOf(container)['resources']);
  const { limits, requests } = resources;
  if (!isObject(limits)) return container;
  const asked = { ...limits, ...objectOf(requests) };
  return { ...objectOf(container), resources: { ...resources, requests: asked } };
}

function withHostPorts(container: Plain): Plain {
  const { ports } = objectOf(container);
  if (!isList(ports)) return container;
  const all = ports.map((port) => (isObject(port) ? { hostPort: port['containerPort'] ?? 0, ...port } : port));
  return { ...objectOf(container), ports: all };
}

/** How sure a pod can be of what it uses, as a cluster sorts pods that have to go. */
function qosClass(spec: PlainObject): string {
  const containers = LISTS.flatMap((name) => {
    const list = spec[name];
    return isList(list) ? list : [];
  });
  const asks = containers.flatMap((container) => {
    const { limits, requests } = objectOf(objectOf(container)['resources']);
    return ['cpu', 'memory'].map((name) => ({
      limit: textOf(objectOf(limits)[name]),
      request: textOf(objectOf(requests)[name]),
    }));
  });
  if (asks.every(({ limit, request }) => limit === '' && request === '')) return 'BestEffort';
  const isSure = asks.every(({ limit, request }) => limit !== '' && (request === '' || request === limit));
  return isSure ? 'Guaranteed' : 'Burstable';
}
