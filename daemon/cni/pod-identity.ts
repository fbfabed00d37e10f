/**
 * Who a pod is that a container runtime attaches: its name, and the labels that the call itself tells. Labels of a Pod document
 * of the same name count before these (attachments.ts).
 */
import { createHash } from 'node:crypto';
import { CNI_CODES, CniError } from './cni-error.ts';
import { checkLabels, type Labels } from './labels.ts';
import type { CniRequest } from './request.ts';

/** Of a pod whose runtime tells its annotations: `app=web,tier=front`. */
const LABELS_ANNOTATION = 'sluice.io/labels';

export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  /** '' = not told. */
  readonly uid: string;
}

const KUBERNETES_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Kubernetes' runtimes tell namespace, name and uid. podman tells a name, which may be none of Kubernetes': then it gets one, with a
 * hash of what it was, so that two never share it. Where nothing is told, the container's id stands for the name.
 * @throws CniError naming the variable that is hostile
 */
export function podIdentity({ args, containerId, config }: CniRequest): PodIdentity {
  const { K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name = '', K8S_POD_UID: uid = '' } = args;
  if (!/^[A-Za-z0-9-]{0,128}$/.test(uid)) throw wrong('K8S_POD_UID', uid, 'letters, digits and "-"');
  if (namespace === undefined || namespace === '') {
    return { namespace: config.namespace, name: kubernetesName(name === '' ? containerId.slice(0, 12) : name), uid };
  }
  if (!NAMESPACE.test(namespace)) throw wrong('K8S_POD_NAMESPACE', namespace, 'the name of a namespace');
  if (!KUBERNETES_NAME.test(name)) throw wrong('K8S_POD_NAME', name, 'the name of a pod');
  return { namespace, name, uid };
}

function wrong(key: string, found: string, wanted: string): CniError {
  const shown = JSON.stringify(found.slice(0, 260));
  return new CniError(CNI_CODES.environment, `CNI_ARGS: ${key}: found ${shown}, wanted ${wanted}`);
}

function kubernetesName(name: string): string {
  if (KUBERNETES_NAME.test(name) && name.length <= 200) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  const letters = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);
  return letters === '' ? hash : `${letters.replace(/-+$/, '')}-${hash}`;
}

/** What the call itself says: an annotation, and the configuration's `args.cni.labels`, which count more. */
export function toldLabels({ config }: CniRequest): Labels {
  const text = config.annotations[LABELS_ANNOTATION] ?? '';
  const pairs = text.split(',').filter((part) => part.trim() !== '');
  const labels = Object.fromEntries(pairs.map((part) => [part.split('=', 1)[0].trim(), valueIn(part)]));
  return { ...checkLabels(labels, LABELS_ANNOTATION), ...config.labels };
}

function valueIn(pair: string): string {
  const at = pair.indexOf('=');
  return at < 0 ? '' : pair.slice(at + 1).trim();
}
