/** Pods as kubectl names them on a command line: `web-0`, `pod/web-0`, `deploy/web`, `svc/web`; and `shop/web-0` as we do. */
import { DaemonApi } from '../../api/daemon-api.ts';
import { podsOf, isWorkload } from '../../policy/document/workload.ts';
import { podReference } from '../terminal/argument.ts';
import { Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Kind, KINDS, notFound } from './kinds.ts';

interface PodReference {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The pod that an argument means; of a workload or service the first. A namespace called like a kind needs -n.
 * @throws Failure when a service has no pod; InvalidArgumentError for what is no name
 */
export async function podNamed(settings: Settings, text: string, namespace: string): Promise<PodReference> {
  const [word, name, ...rest] = text.split('/');
  const kind = name === undefined || name === '' || rest.length > 0 ? undefined : kindIn(word);
  if (kind?.kind === 'Pod') return { namespace, name };
  // Its pods are numbered, and the first is always there: no agent need be asked.
  if (kind !== undefined && isWorkload(kind.kind)) return { namespace, name: `${name}-0` };
  if (kind?.kind === 'Service') return podOfService(settings, kind, { namespace, name });
  return podReference(text, namespace);
}

function kindIn(word: string): Kind | undefined {
  const wanted = word.toLowerCase().replace(/\..*$/, '');
  return KINDS.find(({ singular, plural, short }) => [singular, plural, ...short].includes(wanted));
}

async function podOfService(settings: Settings, kind: Kind, service: PodReference): Promise<PodReference> {
  const { namespace, name } = service;
  const api = new DaemonApi(settings);
  const [found] = await api.objects({ kind: 'Service', namespace, name });
  if (found === undefined) throw new Failure(notFound(kind, name));
  const selector = Object.entries((found.spec?.['selector'] ?? {}) as Record<string, string>);
  const pods = (await api.objects({ namespace })).flatMap(podsOf);
  const pod = pods.find(
    ({ metadata }) => selector.length > 0 && selector.every(([key, value]) => metadata?.labels?.[key] === value),
  );
  if (pod?.metadata?.name === undefined) throw new Failure(`find a pod of svc/${name}: its selector matches none`);
  return { namespace, name: pod.metadata.name };
}
