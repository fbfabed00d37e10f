/**
 * Secrets from files, in the layout that Cilium has and that a mounted Secret has: `<directory>/<namespace>/<name>/<key>`. Hidden
 * entries are left out (`..data` of a mount is the same files again). What cannot be read has no value, so that rules that compare
 * with it match nothing; it is told without what is in it.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SecretSpec } from '../../policy/rule/spec.ts';
import type { Controllers } from '../health/controllers.ts';
import type { ProblemBoard } from '../health/problem-board.ts';

/** No header is longer, by far. */
const MAX_VALUE_BYTES = 61_440;
const MAX_SECRETS = 4096;

/** What a look at the directory found. */
export interface SecretFilesContents {
  readonly secrets: readonly SecretSpec[];
  /** What is wrong, a sentence each. */
  readonly problems: readonly string[];
}

interface SecretTakers {
  readonly controllers: Controllers;
  readonly board: ProblemBoard;
  readonly secrets: { setFiles(secrets: readonly SecretSpec[]): void };
}

/** Takes the secrets of a directory; none when it cannot be read. Nothing is done for ''. */
export function takeSecretFiles(directory: string, { controllers, board, secrets }: SecretTakers): void {
  if (directory === '') return;
  const error = controllers.run('secrets', () => {
    const found = readSecretFiles(directory);
    board.set('secret-files', found.problems);
    secrets.setFiles(found.secrets);
  });
  if (error !== '') secrets.setFiles([]);
  board.set('secrets-directory', error === '' ? [] : [`secretsDir: ${error}`]);
}

/** @throws SystemError when the directory itself cannot be read */
export function readSecretFiles(directory: string): SecretFilesContents {
  const problems: string[] = [];
  const secrets: SecretSpec[] = [];
  for (const namespace of visible(directory)) {
    for (const name of guarded(problems, () => visible(join(directory, namespace))) ?? []) {
      const path = join(directory, namespace, name);
      if (secrets.length === MAX_SECRETS) return { secrets, problems: [...problems, tooMany(directory)] };
      secrets.push({ namespace, name, values: valuesIn(path, problems) });
    }
  }
  return { secrets, problems };
}

function valuesIn(path: string, problems: string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const key of guarded(problems, () => visible(path)) ?? []) {
    const value = guarded(problems, () => valueOf(join(path, key)));
    if (value !== undefined) values.set(key, value);
  }
  return values;
}

/** @throws Error when it is no file, or too large */
function valueOf(path: string): string {
  const status = statSync(path);
  if (!status.isFile()) throw new Error(`read secret ${path}: found no file, wanted one`);
  if (status.size > MAX_VALUE_BYTES)
    throw new Error(`read secret ${path}: found ${status.size} bytes, wanted at most ${MAX_VALUE_BYTES}`);
  return readFileSync(path, 'latin1');
}

function guarded<T>(problems: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const { message } = error as Error;
    problems.push(message.startsWith('read secret') ? message : `read secrets: ${message}`);
    return undefined;
  }
}

function visible(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => !name.startsWith('.'))
    .sort();
}

function tooMany(directory: string): string {
  return `read secrets: found more than ${MAX_SECRETS} in ${directory}, wanted fewer: the rest are not there`;
}
