/** `sluice apply` and `sluice delete` */
import type { Command } from 'commander';
import { repeatable } from '../terminal/argument.ts';
import type { DaemonApi } from '../../api/daemon-api.ts';
import type { ApplyAnswer, ObjectReference } from '../../api/shapes.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Host } from '../terminal/host.ts';
import { KIND_WORDS } from '../objects/kinds.ts';
import { example } from '../terminal/help.ts';
import { type Settings, settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function defineApply(command: Command, host: Host): void {
  command.requiredOption('-f, --filename <path>', 'file, folder or - (repeatable)', repeatable);
  withGlobals(withOutput(command, 'name'));
  example(
    command,
    'sluice apply -f policy.yaml',
    'sluice apply -f pods/ -f policies/',
    'kubectl get cnp -A -o yaml | sluice apply -f -',
  );
  command.action(async (flags: { filename: string[] }) => {
    const settings = settingsOf(command, host);
    await overFiles(settings, flags.filename, 'apply', (api, text, file) => api.apply(text, file));
  });
}

export function defineDelete(command: Command, host: Host): void {
  command
    .argument('[kind]', `what kind: ${KIND_WORDS.join(', ')}`)
    .argument('[names...]', 'names of the objects')
    .option('-f, --filename <path>', 'delete what these manifests name (repeatable)', repeatable)
    .option('-n, --namespace <namespace>', 'namespace of the named objects', 'default');
  withGlobals(withOutput(command, 'name'));
  example(command, 'sluice delete -f policy.yaml', 'sluice delete cnp -n shop allow-web', 'sluice delete ns shop');
  command.action(
    async (kind: string | undefined, names: string[], flags: { filename?: string[]; namespace: string }) => {
      const settings = settingsOf(command, host);
      const { filename = [], namespace } = flags;
      if (kind === undefined ? filename.length === 0 : filename.length > 0 || names.length === 0) {
        throw new Failure('delete: wanted -f FILE, or a kind and names: see `sluice delete --help`', EXIT.USAGE);
      }
      if (kind === undefined)
        await overFiles(settings, filename, 'delete', (api, text, file) => api.delete(text, file));
      else await deleteNamed(settings, kind, names, namespace);
    },
  );
}

async function deleteNamed(
  settings: Settings,
  word: string,
  names: readonly string[],
  namespace: string,
): Promise<void> {
  const { kindsOf } = await import('../objects/kinds.ts');
  const { DaemonApi } = await import('../../api/daemon-api.ts');
  const [kind, ...others] = kindsOf(word);
  if (others.length > 0) throw new Failure(`delete ${word}: found several kinds, wanted one`, EXIT.USAGE);
  const scope = kind.isNamespaced ? { namespace } : {};
  const references = names.map((name) => ({ kind: kind.kind, name, ...scope }));
  const { applied, problems } = await new DaemonApi(settings).deleteReferences(references);
  // They have no place: nobody wrote a file.
  await report(settings, { applied, problems: problems.map((one) => ({ ...one, file: '', line: 0, column: 0 })) });
}

type Send = (api: DaemonApi, text: string, file: string) => Promise<ApplyAnswer>;

/** Sends each file in turn; one that is invalid does not keep the others back. */
async function overFiles(
  settings: Settings,
  paths: readonly string[],
  verb: 'apply' | 'delete',
  send: Send,
): Promise<void> {
  const { readManifests } = await import('../objects/manifest-files.ts');
  const { DaemonApi } = await import('../../api/daemon-api.ts');
  const api = new DaemonApi(settings);
  const answers: ApplyAnswer[] = [];
  const files = await readManifests(settings.host, paths);
  for (const { path, text } of files) answers.push(await send(api, text, path));
  const isEmpty = answers.every(({ applied, problems }) => applied.length + problems.length === 0);
  if (isEmpty) throw new Failure(`${verb} ${files.map(({ path }) => path).join(', ')}: found no document to ${verb}`);
  await report(settings, {
    applied: answers.flatMap((answer) => answer.applied),
    problems: answers.flatMap((answer) => answer.problems),
  });
}

async function report(settings: Settings, answer: ApplyAnswer): Promise<void> {
  const { host, output, paint } = settings;
  const done = answer.applied;
  if (output === 'json' || output === 'yaml' || output.startsWith('jsonpath')) {
    await (await import('../terminal/output.ts')).printDocument(settings, {
      objects: done,
      problems: answer.problems,
    });
  } else {
    for (const one of done) {
      const action = output === 'name' ? '' : ` ${paintAction(one.action, paint)}`;
      host.stdout.write(`${nameOf(one)}${action}\n`);
    }
  }
  const { reportProblems } = await import('../objects/problems.ts');
  if (reportProblems(host, answer.problems)) host.exitCode = EXIT.FAILED;
}

function paintAction(action: string, paint: Settings['paint']): string {
  if (action === 'unchanged') return paint.dim(action);
  return action === 'deleted' ? paint.red(action) : paint.green(action);
}

/** `pod/shop/web-0` */
function nameOf({ kind, namespace, name }: ObjectReference): string {
  return [kind.toLowerCase(), namespace, name].filter((part) => part !== undefined && part !== '').join('/');
}
