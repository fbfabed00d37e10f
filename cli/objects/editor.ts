/**
 * `sluice edit`: an object in the user's editor.
 *
 *     write the object --> editor --> saved text --> apply --+--> done
 *            ^                                               |
 *            +------- the text with the errors above it <----+ refused
 *
 * A text saved as it was opened ends it. What was refused and is given up stays in its file, which the error names.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DaemonApi } from '../../api/daemon-api.ts';
import { type Manifest, referenceOf } from '../../policy/document/manifest.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { Failure, sentenceOf } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { type EditFlags, nameOf, objectsToEdit } from './edit.ts';
import { type Kind, namedObjects } from './kinds.ts';
import { parseManifests } from './manifest-files.ts';
import { reportProblems } from './problems.ts';

const HEADER = [
  'Edit the object below, then save and leave the editor. Lines that begin with # at the top do not count;',
  'saved as it is, or empty, nothing is changed.',
];

/** @param words objects, by name @throws Failure for one that is not there, that cannot be changed, or whose change is refused */
export async function editObjects(settings: Settings, words: readonly string[], flags: EditFlags): Promise<void> {
  const api = new DaemonApi(settings);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-edit-'));
  let keep = false;
  try {
    for (const { kind, object } of await objectsToEdit(api, namedObjects(words), flags)) {
      await editOne({
        settings,
        api,
        kind,
        object,
        path: join(folder, `${kind.singular}-${object.metadata?.name?.replaceAll('/', '-')}.yaml`),
      });
    }
  } catch (error) {
    keep = error instanceof GivenUp;
    throw error;
  } finally {
    if (!keep) rmSync(folder, { recursive: true, force: true });
  }
}

/** The text was refused, and saved once more as it was. */
class GivenUp extends Failure {}

interface Editing {
  readonly settings: Settings;
  readonly api: DaemonApi;
  readonly kind: Kind;
  readonly object: Manifest;
  readonly path: string;
}

async function editOne({ settings, api, kind, object, path }: Editing): Promise<void> {
  const { stringify } = await import('yaml');
  let body = stringify(object, { lineWidth: 0, aliasDuplicateObjects: false });
  const isUnchanged = (text: string): boolean => text.trim() === '' || text.trim() === body.trim();
  let problems: readonly Problem[] = [];
  for (;;) {
    openEditor(settings, path, withHeader(body, problems));
    const saved = withoutHeader(readFileSync(path, 'utf8'));
    if (isUnchanged(saved)) {
      if (problems.length === 0) return void settings.host.stderr.write('Edit cancelled, no changes made.\n');
      reportProblems(settings.host, problems);
      throw new GivenUp(`edit ${nameOf(kind, object)}: it was refused, and is as it was; the text is kept in ${path}`);
    }
    body = saved;
    problems = await put(api, object, saved);
    if (!problems.some(({ severity }) => severity === 'error')) break;
  }
  reportProblems(settings.host, problems);
  settings.host.stdout.write(`${nameOf(kind, object)} edited\n`);
}

/** @returns what is wrong with the text; nothing is changed then */
async function put(api: DaemonApi, object: Manifest, text: string): Promise<readonly Problem[]> {
  try {
    const documents = await parseManifests({ path: '', text });
    const others = documents.filter((one) => referenceOf(one) !== referenceOf(object));
    if (documents.length !== 1 || others.length > 0) {
      const found = documents.map(referenceOf).join(', ');
      return [
        problemOf(
          `found ${found === '' ? 'no object' : found}, wanted ${referenceOf(object)}: its kind, namespace and name stay`,
        ),
      ];
    }
  } catch (error) {
    return [problemOf(sentenceOf(error))];
  }
  return (await api.apply(text, 'sluice edit')).problems;
}

function problemOf(message: string): Problem {
  return { file: '', line: 0, column: 0, path: '', severity: 'error', code: 'edit', message };
}

function withHeader(body: string, problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const told = errors.flatMap(({ path, message, hint }) => {
    const where = path === '' ? '' : `${path}: `;
    return `${where}${message}${hint === undefined ? '' : ` (${hint})`}`.split('\n');
  });
  const lines = told.length === 0 ? HEADER : [...HEADER, '', 'It was refused:', ...told];
  return `${lines.map((line) => `# ${line}`.trimEnd()).join('\n')}\n${body}`;
}

const withoutHeader = (text: string): string => text.replace(/^(?:#.*\n)+/, '');

/** @throws Failure when the editor cannot be run, or ends with another code than 0 */
function openEditor({ host: { env } }: Settings, path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  const editor = [env['KUBE_EDITOR'], env['EDITOR'], 'vi'].find((one) => one !== undefined && one !== '') ?? '';
  // As kubectl: the editor may be a command line.
  const { status, error } = spawnSync('sh', ['-c', `${editor} "$1"`, editor, path], { stdio: 'inherit' });
  if (error !== undefined || status !== 0) {
    throw new Failure(
      `run editor ${editor}: ${error?.message ?? `it ended with ${status}`}: set KUBE_EDITOR or EDITOR`,
    );
  }
}
