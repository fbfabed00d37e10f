/** Runs sluice-container (kubelet/launcher), and writes what it reads. */
import { spawn } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';

export const LAUNCHER = join(PACKAGE_ROOT, 'kubelet/launcher/build/sluice-container');

const LAUNCH_MS = 20_000;
const SAID_LIMIT = 64 * 1024;

/** Keys and values in their order; the keys are those of launcher/spec.c. */
export type SpecLines = readonly (readonly [key: string, value: string | number])[];

/**
 * Writes `<folder>/spec`, which only root reads: it holds the environment, and so secrets.
 * @throws Error when a value holds a zero byte, which no program could be given
 */
export function writeSpec(folder: string, lines: SpecLines): void {
  const words = lines.flatMap(([key, value]) => [key, String(value)]);
  const bad = words.find((word) => word.includes('\0'));
  if (bad !== undefined) throw new Error(`start a container: found a zero byte in '${bad.replaceAll('\0', '\\0')}'`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, 'spec.new');
  writeFileSync(draft, words.map((word) => `${word}\0`).join(''), { mode: 0o600 });
  renameSync(draft, join(folder, 'spec'));
}

/**
 * Starts what a folder's spec describes.
 * @returns what the launcher said
 * @throws Error with its sentence
 */
export function launch(role: 'pod' | 'run', folder: string): Promise<string> {
  return askLauncher([role, folder]);
}

/** Who a user of an image is: `uid`, `gid`, supplementary groups and home folder. */
export interface ImageIds {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

/**
 * Reads it from an image's own files, which lead nowhere else.
 * @param root the folder of its files @param user `bob`, `1000:1000`
 * @throws Error with the launcher's sentence
 */
export async function idsInImage(root: string, user: string): Promise<ImageIds> {
  const [ids = '', home = '/', groups = ''] = (await askLauncher(['user', root, user])).split('\n');
  const [uid, gid] = ids.split(' ').map(Number);
  return { uid, gid, home, groups: groups.split(' ').filter(Boolean).map(Number) };
}

function askLauncher(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(LAUNCHER, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {},
      timeout: LAUNCH_MS,
      killSignal: 'SIGKILL',
    });
    let said = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < SAID_LIMIT) said += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < SAID_LIMIT) complaint += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(error.code === 'ENOENT' ? `${LAUNCHER} is missing: run scripts/setup` : error.message)),
    );
    child.on('close', (code, signal) => {
      if (code === 0) resolve(said);
      else reject(new Error(complaint.trim() || `sluice-container ended with ${signal ?? code}`));
    });
  });
}
