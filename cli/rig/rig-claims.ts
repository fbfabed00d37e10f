/**
 * What a rig may call its own. A rig takes nothing that is there already: neither an object, nor a pod, nor the network
 * namespace of one. It writes its claims into its state first and looks at those of others then, so that of two rigs raised
 * at once at least one sees the other.
 */
import type { DaemonApi } from '../../api/daemon-api.ts';
import type { ObjectReference } from '../../api/shapes.ts';
import { flattenList, type Manifest } from '../../policy/document/manifest.ts';
import { kindNamed } from '../objects/kinds.ts';
import { Failure } from '../terminal/failure.ts';
import type { RigPlan } from './rig-plan.ts';
import type { RigObject, RigState } from './rig-state.ts';

/** The objects that documents name, lists taken apart. */
export function objectsOf(documents: readonly Manifest[]): RigObject[] {
  return documents.flatMap(flattenList).map(referenceOf);
}

function referenceOf({ kind = '', metadata = {} }: Manifest): RigObject {
  const isNamespaced = kindNamed(kind)?.isNamespaced ?? true;
  return { kind, namespace: isNamespaced ? (metadata.namespace ?? 'default') : '', name: metadata.name ?? '' };
}

/** `Pod shop/web` */
function textOf({ kind, namespace = '', name }: ObjectReference): string {
  return `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
}

const isSame = (a: RigObject, b: RigObject): boolean =>
  a.kind === b.kind && a.namespace === b.namespace && a.name === b.name;

/** The name server's pod and Service are the agent's own, and step aside for those of a rig. */
function isOwn({ metadata = {} }: Manifest): boolean {
  return metadata.labels?.[COMPONENT] === 'dns';
}

/**
 * Finds out which of the rig's documents are its own to make: all but the Namespaces that are there.
 * @param others the states of the other rigs
 * @throws Failure naming everything that belongs to others, and what to do
 */
export async function requireFree(
  api: DaemonApi,
  { plan, state, others }: { plan: RigPlan; state: RigState; others: readonly RigState[] },
): Promise<RigObject[]> {
  const objects = await api.objects({});
  const own = objects.filter(isOwn).map(referenceOf);
  const present = objects.filter((one) => !isOwn(one)).map(referenceOf);
  const endpoints = (await api.endpoints()).filter(
    ({ namespace, pod }) => !own.some((one) => isSame(one, { kind: 'Pod', namespace, name: pod })),
  );
  const taken = new Map<string, string>();
  for (const object of state.objects) {
    const owner = others.find((rig) => rig.objects.some((one) => isSame(one, object)));
    if (object.kind !== 'Namespace' && (owner !== undefined || present.some((one) => isSame(one, object))))
      taken.set(textOf(object), advice(object, owner));
  }
  for (const { namespace, name, netns } of plan.pods) {
    const object = { kind: 'Pod', namespace, name };
    const owner = others.find((rig) => rig.pods.some((one) => one.namespace === namespace && one.name === name));
    const isAttached = endpoints.some((one) => one.namespace === namespace && one.pod === name);
    if ((owner !== undefined || isAttached) && !taken.has(textOf(object)))
      taken.set(textOf(object), advice(object, owner));
    const user = endpoints.find((one) => one.netns === netns && (one.namespace !== namespace || one.pod !== name));
    if (user !== undefined) taken.set(`network namespace ${netns}`, `it is that of Pod ${user.namespace}/${user.pod}`);
  }
  if (taken.size > 0) throw new Failure(refusal(state.name, taken));
  return state.objects.filter((object) => object.kind !== 'Namespace' || !present.some((one) => isSame(one, object)));
}

function advice({ kind, namespace, name }: RigObject, owner: RigState | undefined): string {
  if (owner !== undefined) return `it is rig ${owner.name}'s: \`sluice rig down ${owner.name}\` first`;
  const where = namespace === '' ? '' : ` -n ${namespace}`;
  return `\`sluice delete ${kind.toLowerCase()} ${name}${where}\` first, or give it another name or namespace`;
}

function refusal(name: string, taken: ReadonlyMap<string, string>): string {
  const lines = [...taken].map(([what, remedy]) => `${what} is there already and is not this rig's: ${remedy}`);
  const shown = lines.slice(0, MAX_SHOWN);
  if (lines.length > shown.length) shown.push(`and ${lines.length - shown.length} more`);
  return `raise rig ${name}: ${shown.join('; ')}`;
}

const MAX_SHOWN = 5;
/** Label of what the agent itself has made. */
const COMPONENT = 'sluice.io/component';
