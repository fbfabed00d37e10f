/**
 * `sluice diff`: objects in force beside what apply would put in their place. The agent reads the manifests in a dry run, so
 * both sides are what it makes of them; a program compares two folders with a file for each object that would change.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DaemonApi } from '../../api/daemon-api.ts';
import type { ApplyAnswer } from '../../api/shapes.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import { exitCodeOf, Failure, sentenceOf } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { changeByFiles } from './change.ts';
import { reportProblems } from './problems.ts';

export interface DiffFlags {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
  readonly namespace?: string;
}

/** Nothing differs; something does; it could not be told. */
const SAME = 0;
const DIFFERENT = 1;
const FAILED = 2;

type Change = ApplyAnswer['applied'][number];

/** @returns the exit code */
export async function showDiff(settings: Settings, flags: DiffFlags): Promise<number> {
  try {
    return await compare(settings, flags);
  } catch (error) {
    // 1 would say that something differs.
    throw new Failure(sentenceOf(error), Math.max(exitCodeOf(error), FAILED));
  }
}

async function compare(settings: Settings, { filename, recursive = false, namespace }: DiffFlags): Promise<number> {
  const api = new DaemonApi(settings);
  const options = { dryRun: true, ...(namespace !== undefined && { namespace }) } as const;
  const { applied, problems } = await changeByFiles(settings, api, {
    paths: filename,
    isRecursive: recursive,
    verb: 'apply',
    send: (_, text, file) => api.apply(text, file, options),
  });
  if (reportProblems(settings.host, problems)) return FAILED;
  const folder = mkdtempSync(join(tmpdir(), 'sluice-diff-'));
  try {
    const [live, merged] = [join(folder, 'LIVE'), join(folder, 'MERGED')];
    for (const side of [live, merged]) mkdirSync(side);
    for (const change of applied.filter(({ action }) => action !== 'unchanged')) {
      const before = await inForce(api, change);
      if (before !== undefined) await write(live, change, before);
      if (change.object !== undefined) await write(merged, change, change.object);
    }
    return runDiff(settings, [live, merged]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function inForce(api: DaemonApi, { kind, namespace = '', name }: Change): Promise<Manifest | undefined> {
  const [object] = await api.objects({ kind, name, ...(namespace !== '' && { namespace }) });
  return object;
}

async function write(folder: string, change: Change, object: Manifest): Promise<void> {
  const { stringify } = await import('yaml');
  const { apiVersion = '', metadata = {} } = object;
  // What the agent adds is no difference.
  const written = Object.fromEntries(Object.entries(metadata).filter(([field]) => field !== 'creationTimestamp'));
  const scope = change.namespace === '' ? {} : { namespace: change.namespace };
  const shown = { ...object, metadata: { ...scope, ...written } };
  const name = [apiVersion, change.kind, change.namespace, change.name].filter(Boolean).join('.');
  const path = join(folder, name.replaceAll('/', '.').slice(0, MAX_NAME));
  writeFileSync(path, stringify(shown, { lineWidth: 0, aliasDuplicateObjects: false, sortMapEntries: true }));
}

/** Of a file. */
const MAX_NAME = 255;

function runDiff({ host }: Settings, sides: readonly string[]): number {
  const [program, ...words] = (host.env['KUBECTL_EXTERNAL_DIFF'] ?? 'diff -u -N').split(' ').filter(Boolean);
  const { status, stdout, error } = spawnSync(program, [...words, ...sides], {
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: MAX_DIFF_BYTES,
  });
  if (error !== undefined) throw new Failure(`run ${program}: ${error.message}: set KUBECTL_EXTERNAL_DIFF`, FAILED);
  host.stdout.write(stdout);
  return status === SAME || status === DIFFERENT ? status : FAILED;
}

const MAX_DIFF_BYTES = 64 << 20;
