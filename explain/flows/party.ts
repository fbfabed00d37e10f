/** One end of a recorded flow, as far as policies can tell ends apart: pods of the same labels are one. */
import type { Endpoint } from '../../hubble/flow.ts';
import {
  CLUSTER,
  isNamedPorts,
  isPlace,
  POD_NAMESPACE,
  parseLabel,
  SERVICE_ACCOUNT,
} from '../../policy/rule/labels.ts';
import { isDnsLabel, isLabelValue, isQualifiedName } from '../../policy/validate/names.ts';
import {
  IDENTITY_REMOTE_NODE,
  IDENTITY_WORLD,
  IDENTITY_WORLD_IPV4,
  IDENTITY_WORLD_IPV6,
  isLocalScope,
  parseIdentity,
  REMOTE_NODE_SCOPE,
  reservedName,
} from '../../wire/identities.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import type { End } from '../query.ts';

/** A pod of a namespace with its own labels, those that say where it is left out. */
interface PodParty {
  readonly kind: 'pod';
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cluster: string;
}
/** Of the outside, by its address, canonical. */
interface AddressParty {
  readonly kind: 'address';
  readonly address: string;
}
interface EntityParty {
  readonly kind: 'entity';
  readonly entity: string;
}

export type Party = (PodParty | AddressParty | EntityParty) & {
  /** Equal for ends that policies cannot tell apart. */
  readonly key: string;
  /** As a judge is asked about it. */
  readonly end: End;
  /** As people are told of it. */
  readonly text: string;
  /** The workload it belongs to, where the flow says it: `Deployment/web`. */
  readonly workload: string;
  /** Its name without what is drawn at random, to call a policy by; '' when it has none. */
  readonly title: string;
};

/** Why an end cannot be judged. */
export type PartyFault = 'no end' | 'labels that no object can have';

const WORLD_NAMES: readonly number[] = [IDENTITY_WORLD, IDENTITY_WORLD_IPV4, IDENTITY_WORLD_IPV6];
const NAMESPACE = `k8s:${POD_NAMESPACE}=`;

/** What is the same whatever the address: ends are few, and flows share them. */
const known = new WeakMap<Endpoint, Party | PartyFault>();

/** @param ip '' = the flow has none */
export function partyOf(endpoint: Endpoint, ip: string): Party | PartyFault {
  let party = known.get(endpoint);
  if (party !== undefined) return party;
  party = insider(endpoint);
  if (party !== undefined) {
    known.set(endpoint, party);
    return party;
  }
  const address = canonical(ip);
  return address === undefined ? 'no end' : addressParty(address);
}

/** A pod or an entity; undefined for what only its address can tell. */
function insider(endpoint: Endpoint): Party | PartyFault | undefined {
  const { labels = [], identity = 0 } = endpoint;
  const entity = entityOf(identity, labels);
  if (entity !== undefined && entity !== 'world') return entityParty(entity);
  const namespace = labels.find((text) => text.startsWith(NAMESPACE))?.slice(NAMESPACE.length) ?? '';
  return entity === undefined && namespace !== '' ? podParty(endpoint, namespace) : undefined;
}

/** `world` also for prefixes and names; undefined for pods and for what is not known. */
function entityOf(identity: number, labels: readonly string[]): string | undefined {
  const isOutside = (one: number): boolean => WORLD_NAMES.includes(one) || isLocalScope(one);
  if (identity >= REMOTE_NODE_SCOPE) return reservedName(IDENTITY_REMOTE_NODE);
  if (isOutside(identity)) return 'world';
  if (identity > 0 && identity < 128) {
    const name = reservedName(identity);
    if (name !== undefined && !name.startsWith('aggregate')) return name;
  }
  if (identity !== 0) return undefined;
  const named = labels.find((text) => text.startsWith('reserved:'))?.slice('reserved:'.length);
  const known = named === undefined ? -1 : parseIdentity(named);
  if (named === undefined || known < 1) return undefined;
  return isOutside(known) ? 'world' : named;
}

function canonical(ip: string): string | undefined {
  try {
    return parsePrefix(ip, 'host').text.replace(/\/(32|128)$/, '');
  } catch {
    return undefined;
  }
}

const NOBODY = { workload: '', title: '' };

function entityParty(entity: string): Party {
  return { kind: 'entity', key: `entity ${entity}`, text: entity, end: { entity }, entity, ...NOBODY };
}

function addressParty(address: string): Party {
  return { kind: 'address', key: `address ${address}`, text: address, end: { ip: address }, address, ...NOBODY };
}

function podParty(endpoint: Endpoint, namespace: string): Party | PartyFault {
  const own: (readonly [string, string])[] = [];
  const texts: string[] = [];
  let cluster = '';
  for (const text of [...(endpoint.labels ?? [])].sort()) {
    const { source, key, value } = parseLabel(text, 'unspec');
    if (source === 'k8s' && key === CLUSTER) cluster = value;
    const isOwn = source === 'k8s' && !isPlace(key);
    if (!isOwn && key !== SERVICE_ACCOUNT && !isNamedPorts(key)) continue;
    if (!isQualifiedName(key) || !isLabelValue(value)) return 'labels that no object can have';
    texts.push(text);
    if (isOwn) own.push([key, value]);
  }
  if (!isDnsLabel(namespace)) return 'labels that no object can have';
  return {
    kind: 'pod',
    key: `pod ${namespace} ${cluster} ${texts.join(';')}`,
    end: { labels: texts, namespace },
    namespace,
    labels: Object.fromEntries(own),
    cluster,
    ...namesOf(endpoint, namespace, own),
  };
}

/** Labels that name what a pod is, best first. */
const NAMING = ['app.kubernetes.io/name', 'k8s-app', 'app', 'name', 'run', 'component'];

function namesOf(
  { workloads = [], pod_name: pod = '' }: Endpoint,
  namespace: string,
  labels: readonly (readonly [string, string])[],
): Pick<Party, 'text' | 'workload' | 'title'> {
  const [{ kind = '', name = '' } = {}] = workloads;
  const naming = NAMING.map((key) => labels.find(([one]) => one === key)?.[1]).find((value) => (value ?? '') !== '');
  const title = name !== '' ? name : (naming ?? pod);
  const text = title === '' ? labels.map(([key, value]) => `${key}=${value}`).join(',') : title;
  return { workload: name === '' ? '' : `${kind}/${name}`, title, text: `${namespace}/${text}` };
}
