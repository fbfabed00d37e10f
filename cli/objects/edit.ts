/** label, annotate and scale: an object is read, changed, and applied again. */
import { DaemonApi } from '../../api/daemon-api.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import { isWorkload } from '../../policy/document/workload.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { reportProblems } from './problems.ts';
import { type Kind, type Named, namedObjects, notFound, withGroup } from './kinds.ts';
import { labelMatcher } from './label-match.ts';
import { rowsOf } from './object-rows.ts';

export interface EditFlags {
  readonly namespace: string;
  readonly selector?: string;
  readonly all?: boolean;
  readonly overwrite?: boolean;
}

export type Marks = 'labels' | 'annotations';

/** The objects that a command line names, as they may be changed. @throws Failure for one that is not there, or is not ours to change */
export async function objectsToEdit(
  api: DaemonApi,
  named: readonly Named[],
  flags: EditFlags,
): Promise<{ kind: Kind; object: Manifest }[]> {
  const matches = labelMatcher(flags.selector);
  const isChosen = flags.all === true || flags.selector !== undefined;
  const found: { kind: Kind; object: Manifest }[] = [];
  for (const { kinds, names } of named) {
    if (names.length > 0 === isChosen) throw new Failure('wanted names, or --all, or -l: one of them', EXIT.USAGE);
    for (const kind of kinds) {
      const rows = await rowsOf(api, kind, { namespace: flags.namespace, appliedOnly: isChosen });
      const missing = names.find((name) => !rows.some(({ object }) => object.metadata?.name === name));
      if (missing !== undefined) throw new Failure(notFound(kind, missing));
      for (const { object } of rows) {
        if (isChosen ? !matches(object) : !names.includes(object.metadata?.name ?? '')) continue;
        if (!isChosen || !isOfWorkload(object)) found.push({ kind, object: await asApplied(api, kind, object) });
      }
    }
  }
  return found;
}

function isOfWorkload({ metadata }: Manifest): boolean {
  const owners = (metadata?.['ownerReferences'] ?? []) as readonly { readonly kind?: string }[];
  return owners.some(({ kind = '' }) => isWorkload(kind));
}

/** As it was written; a namespace or node that stands without a document begins with its name alone. */
async function asApplied(api: DaemonApi, kind: Kind, shown: Manifest): Promise<Manifest> {
  const { name = '', namespace } = shown.metadata ?? {};
  const scope = kind.isNamespaced && namespace !== undefined ? { namespace } : {};
  const [object] = await api.objects({ kind: kind.kind, name, ...scope });
  if (object !== undefined) {
    const written = Object.entries(object.metadata ?? {}).filter(([field]) => field !== 'creationTimestamp');
    return { ...object, metadata: Object.fromEntries(written) };
  }
  if (kind.kind === 'Namespace' || kind.kind === 'Node') {
    return { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name } };
  }
  if (!isOfWorkload(shown)) throw new Failure(`change ${kind.kind} ${name}: the agent makes it: it cannot be changed`);
  const [owner] = shown.metadata?.['ownerReferences'] as readonly { kind: string; name: string }[];
  throw new Failure(
    `change pod ${name}: it is one of ${owner.kind} ${owner.name}: change the template of that, and apply it`,
  );
}

/**
 * Sets and removes labels or annotations.
 * @param words objects, and then `key=value` and `key-`
 */
export async function mark(
  settings: Settings,
  marks: Marks,
  words: readonly string[],
  flags: EditFlags,
): Promise<void> {
  const isChange = (word: string): boolean => /^[^=]+=/.test(word) || /^[^=]+-$/.test(word);
  const first = words.findIndex((word, at) => at > 0 && isChange(word));
  if (first < 0 || !words.slice(first).every(isChange)) {
    throw new Failure(`found no ${marks}, wanted KIND NAME KEY=VALUE..., or KEY- to remove one`, EXIT.USAGE);
  }
  const api = new DaemonApi(settings);
  const verb = marks === 'labels' ? 'label' : 'annotat';
  for (const { kind, object } of await objectsToEdit(api, namedObjects(words.slice(0, first)), flags)) {
    const before = object.metadata?.[marks] ?? {};
    const after = changed(
      before,
      words.slice(first),
      flags.overwrite === true,
      `${kind.singular} ${object.metadata?.name}`,
    );
    const isSame = JSON.stringify(before) === JSON.stringify(after);
    const isLess = Object.keys(after).length < Object.keys(before).length;
    if (!isSame) await put(settings, api, { ...object, metadata: { ...object.metadata, [marks]: after } }, verb);
    settings.host.stdout.write(
      `${nameOf(kind, object)} ${isSame ? `not ${verb}ed` : isLess && verb === 'label' ? 'unlabeled' : `${verb}ed`}\n`,
    );
  }
}

function changed(
  before: Readonly<Record<string, string>>,
  changes: readonly string[],
  overwrite: boolean,
  what: string,
): Readonly<Record<string, string>> {
  const after = new Map(Object.entries(before));
  for (const change of changes) {
    const equals = change.indexOf('=');
    if (equals < 0) {
      after.delete(change.slice(0, -1));
      continue;
    }
    const [key, value] = [change.slice(0, equals), change.slice(equals + 1)];
    const old = after.get(key);
    if (old !== undefined && old !== value && !overwrite) {
      throw new Failure(
        `change ${what}: found '${key}' with the value '${old}' already, wanted --overwrite to replace it`,
      );
    }
    after.set(key, value);
  }
  return Object.fromEntries(after);
}

/** Workloads that say themselves how many pods they have. */
const UNSCALED = new Set(['DaemonSet', 'Job', 'CronJob']);

/** Sets how many pods workloads stand for. */
export async function scale(
  settings: Settings,
  words: readonly string[],
  replicas: number,
  flags: EditFlags,
): Promise<void> {
  const api = new DaemonApi(settings);
  for (const { kind, object } of await objectsToEdit(api, namedObjects(words), flags)) {
    if (!isWorkload(kind.kind) || UNSCALED.has(kind.kind)) {
      const wanted = 'a deployment, replicaset, replicationcontroller or statefulset';
      throw new Failure(`scale ${kind.singular}: wanted ${wanted}`, EXIT.USAGE);
    }
    await put(settings, api, { ...object, spec: { ...object.spec, replicas } }, 'scale');
    settings.host.stdout.write(`${nameOf(kind, object)} scaled\n`);
  }
}

/** `deployment.apps/web` */
export function nameOf(kind: Kind, { metadata }: Manifest): string {
  return `${withGroup(kind, kind.singular)}/${metadata?.name}`;
}

async function put(settings: Settings, api: DaemonApi, object: Manifest, verb: string): Promise<void> {
  const { problems } = await api.apply(JSON.stringify(object), `sluice ${verb}`);
  if (reportProblems(settings.host, problems))
    throw new Failure(`change ${object.kind} ${object.metadata?.name}: refused: see above`);
}
