/** Deleting objects by manifest, by name, by label, or all of a kind. */
import { DaemonApi } from '../../api/daemon-api.ts';
import type { ApplyAnswer, ObjectReference } from '../../api/shapes.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { DryRun, Settings } from '../terminal/settings.ts';
import { changeByFiles, reportChange } from './change.ts';
import { type Kind, type Named, namedObjects } from './kinds.ts';
import { labelMatcher } from './label-match.ts';

export interface DeleteFlags {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly all?: boolean;
  readonly ignoreNotFound?: boolean;
  /** `client` too asks the agent what is there. */
  readonly dryRun?: DryRun;
}

/**
 * Deletes what is there, and names the rest.
 * @param words `KIND NAME...` or `KIND/NAME...`; none with -f
 */
export async function deleteObjects(settings: Settings, words: readonly string[], flags: DeleteFlags): Promise<void> {
  const api = new DaemonApi(settings);
  const answer =
    flags.filename === undefined
      ? await byName(settings, api, words, flags)
      : await byFile(settings, api, words, flags);
  const { applied, problems } = answer;
  const isIgnored = flags.ignoreNotFound === true;
  const told = isIgnored ? problems.filter(({ code }) => code !== 'not-found') : problems;
  await reportChange(settings, { applied, problems: told }, flags.dryRun);
}

/** With a Namespace goes what is in it. */
function queryOf({ dryRun = 'none' }: DeleteFlags): { contents: true; dryRun?: true } {
  return { contents: true, ...(dryRun !== 'none' && { dryRun: true }) };
}

function byFile(
  settings: Settings,
  api: DaemonApi,
  words: readonly string[],
  flags: DeleteFlags,
): Promise<ApplyAnswer> {
  const { filename = [], recursive, namespace } = flags;
  if (words.length > 0) throw usage(`found '${words[0]}' beside -f`);
  const options = { ...queryOf(flags), ...(namespace !== undefined && { namespace }) };
  return changeByFiles(settings, api, {
    paths: filename,
    isRecursive: recursive === true,
    verb: 'delete',
    send: (_, text, file) => api.delete(text, file, options),
  });
}

async function byName(
  settings: Settings,
  api: DaemonApi,
  words: readonly string[],
  flags: DeleteFlags,
): Promise<ApplyAnswer> {
  if (words.length === 0) throw usage('found nothing to delete');
  const named = namedObjects(words);
  const isByLabel = flags.all === true || flags.selector !== undefined;
  const hasNames = named.some(({ names }) => names.length > 0);
  if (isByLabel === hasNames) throw usage(isByLabel ? 'found names beside --all or -l' : 'found a kind alone');
  if (flags.allNamespaces === true && !isByLabel) throw usage('found -A beside names');
  const references = isByLabel ? await chosen(api, named, flags) : named.flatMap((one) => listed(one, flags));
  if (references.length > 0) return api.deleteReferences(references, queryOf(flags));
  settings.host.stderr.write('No resources found\n');
  return { applied: [], problems: [] };
}

function usage(found: string): Failure {
  return new Failure(
    `delete: ${found}, wanted -f FILE, KIND NAME..., KIND/NAME..., or KIND with --all or -l: see \`sluice delete --help\``,
    EXIT.USAGE,
  );
}

function listed({ kinds, names }: Named, { namespace = 'default' }: DeleteFlags): ObjectReference[] {
  const [kind, ...others] = kinds;
  if (others.length > 0) throw usage(`found several kinds for ${names.join(', ')}`);
  return names.map((name) => ({ kind: kind.kind, name, ...(kind.isNamespaced && { namespace }) }));
}

/** The objects that are there; pods that a workload stands for go with it, and are not among them. */
async function chosen(api: DaemonApi, named: readonly Named[], flags: DeleteFlags): Promise<ObjectReference[]> {
  const matches = labelMatcher(flags.selector);
  const found: ObjectReference[] = [];
  for (const kind of named.flatMap(({ kinds }) => kinds)) {
    const objects = await api.objects({ kind: kind.kind, ...scope(kind, flags) });
    for (const { metadata = {} } of objects.filter(matches)) {
      const { name = '', namespace = 'default' } = metadata;
      found.push({ kind: kind.kind, name, ...(kind.isNamespaced && { namespace }) });
    }
  }
  return found;
}

function scope({ isNamespaced }: Kind, { namespace = 'default', allNamespaces }: DeleteFlags): { namespace?: string } {
  return isNamespaced && allNamespaces !== true ? { namespace } : {};
}
