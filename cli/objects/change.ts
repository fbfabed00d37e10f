/** What apply, create and delete say: a line for each object as kubectl has it, and each problem with its place. */
import type { DaemonApi } from '../../api/daemon-api.ts';
import type { ApplyAnswer, ObjectReference } from '../../api/shapes.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { printDocument } from '../terminal/output.ts';
import type { DryRun, Settings } from '../terminal/settings.ts';
import { printable } from '../terminal/table.ts';
import { kindNamed, notFound, withGroup } from './kinds.ts';
import { readManifests } from './manifest-files.ts';
import { reportProblems } from './problems.ts';

export interface FileChange {
  readonly paths: readonly string[];
  /** Folders with what lies below them. */
  readonly isRecursive: boolean;
  readonly verb: 'apply' | 'create' | 'delete';
  readonly send: (api: DaemonApi, text: string, file: string) => Promise<ApplyAnswer>;
}

/** Sends each file in turn; one that is invalid does not keep the others back. */
export async function changeByFiles(settings: Settings, api: DaemonApi, change: FileChange): Promise<ApplyAnswer> {
  const answers: ApplyAnswer[] = [];
  const files = await readManifests(settings.host, change.paths, change.isRecursive);
  for (const { path, text } of files) answers.push(await change.send(api, text, path));
  if (answers.every(({ applied, problems }) => applied.length + problems.length === 0)) {
    const read = files.map(({ path }) => path).join(', ');
    throw new Failure(`${change.verb} ${read}: found no document to ${change.verb}`);
  }
  return {
    applied: answers.flatMap((answer) => answer.applied),
    problems: answers.flatMap((answer) => answer.problems),
  };
}

/** What a text holds, by the reader of the agent, without asking it. */
export async function checkHere(text: string, file: string, namespace: string | undefined): Promise<ApplyAnswer> {
  const { readDocuments } = await import('../../policy/document/document.ts');
  const { documents, problems } = readDocuments(text, file, {}, namespace);
  if (problems.some(({ severity }) => severity === 'error')) return { applied: [], problems };
  const applied = documents.map(({ kind, namespace, name, object }) => ({
    ...{ kind, namespace, name, object },
    action: 'created' as const,
  }));
  return { applied, problems };
}

/**
 * Prints an answer; errors among its problems end the command with 1.
 * @param dryRun how it came about that nothing was changed
 */
export async function reportChange(settings: Settings, answer: ApplyAnswer, dryRun: DryRun = 'none'): Promise<void> {
  const { host, output } = settings;
  const note = { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun];
  const objects = answer.applied.flatMap(({ object }) => object ?? []);
  const isDocument = output === 'json' || output === 'yaml' || output.startsWith('jsonpath');
  if (isDocument && objects.length > 0) {
    // What kubectl prints of a dry run can be applied.
    const [one, ...others] = objects;
    await printDocument(settings, others.length === 0 ? one : { apiVersion: 'v1', kind: 'List', items: objects });
  } else if (isDocument) {
    await printDocument(settings, { objects: answer.applied, problems: answer.problems });
  } else {
    for (const one of answer.applied) host.stdout.write(`${lineOf(one, settings, note)}\n`);
  }
  for (const problem of answer.problems) {
    const sentence = serverError(problem);
    if (sentence !== undefined) host.stderr.write(`${printable(sentence)}\n`);
    else if (!reportProblems(host, [placed(problem)])) continue;
    host.exitCode = EXIT.FAILED;
  }
}

function lineOf(one: ApplyAnswer['applied'][number], { output, paint }: Settings, note: string): string {
  if (output === 'name') return nameOf(one);
  const { action, name, namespace = '' } = one;
  if (action !== 'deleted')
    return `${nameOf(one)} ${action === 'unchanged' ? paint.dim(action) : paint.green(action)}${note}`;
  const from = namespace === '' ? '' : ` from ${namespace} namespace`;
  return `${typeOf(one)} "${name}" ${paint.red(action)}${note}${from}`;
}

/** `deployment.apps/web` */
function nameOf(reference: ObjectReference): string {
  return `${typeOf(reference)}/${reference.name}`;
}

function typeOf({ kind }: ObjectReference): string {
  const known = kindNamed(kind);
  return known === undefined ? kind.toLowerCase() : withGroup(known, known.singular);
}

/** The sentence that kubectl has for a problem, if it has one. */
function serverError({ code, document = '' }: Problem): string | undefined {
  const [word, ...rest] = document.split('/');
  const kind = kindNamed(word);
  const name = rest.at(-1) ?? '';
  if (kind === undefined) return undefined;
  if (code === 'not-found') return notFound(kind, name);
  if (code !== 'already-exists') return undefined;
  return `Error from server (AlreadyExists): ${withGroup(kind, kind.plural)} "${name}" already exists`;
}

/** Nobody wrote a file where objects were named by hand. */
function placed(problem: Problem): Problem {
  return problem.file === '' || problem.file === 'request' ? { ...problem, file: '', line: 0, column: 0 } : problem;
}
