/**
 * Writes the files of a volume as Kubernetes does, so that a program which reads them while they change sees all old ones or all new ones:
 *
 *     config.yaml -> ..data/config.yaml        ..data -> ..3        ..3/config.yaml
 *
 * A change writes another folder, turns `..data` to it by one rename, and removes the one before.
 */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { VolumeFile } from '../plan/volumes.ts';

const DATA = '..data';

/**
 * @param folder of the volume, which only we write to
 * @param gid who may read it besides root; undefined for nobody in particular
 * @returns whether anything changed
 */
export function writeVolume(folder: string, files: readonly VolumeFile[], gid: number | undefined): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (isAsWanted(folder, files)) return false;
  const before = currentOf(folder);
  const next = `..${Number(before?.slice(2) ?? 0) + 1}`;
  rmSync(join(folder, next), { recursive: true, force: true });
  mkdirSync(join(folder, next), { mode: 0o755 });
  for (const file of files) writeOne(join(folder, next, file.path), file, gid);
  symlinkSync(next, join(folder, '..data.new'));
  renameSync(join(folder, '..data.new'), join(folder, DATA));
  linkNames(folder, new Set(files.map(({ path }) => path.split('/')[0])));
  if (before !== undefined) rmSync(join(folder, before), { recursive: true, force: true });
  return true;
}

function writeOne(path: string, { bytes, mode }: VolumeFile, gid: number | undefined): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(path, bytes, { mode });
  // A group of the pod's own reads what its owner reads.
  chmodSync(path, gid === undefined ? mode : mode | ((mode & 0o400) >> 3));
  if (gid !== undefined) chownSync(path, 0, gid);
}

function linkNames(folder: string, names: ReadonlySet<string>): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith('..') || names.has(name)) continue;
    rmSync(join(folder, name), { force: true });
  }
  const present = new Set(readdirSync(folder));
  for (const name of names) if (!present.has(name)) symlinkSync(`${DATA}/${name}`, join(folder, name));
}

function currentOf(folder: string): string | undefined {
  try {
    const name = readlinkSync(join(folder, DATA));
    return /^\.\.\d+$/.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

function isAsWanted(folder: string, files: readonly VolumeFile[]): boolean {
  const current = currentOf(folder);
  if (current === undefined) return false;
  const names = readdirSync(join(folder, current), { recursive: true, withFileTypes: true });
  if (names.filter((entry) => entry.isFile()).length !== files.length) return false;
  return files.every(({ path, bytes }) => {
    const at = join(folder, current, path);
    const status = statSync(at, { throwIfNoEntry: false });
    return status?.isFile() === true && status.size === bytes.length && readFileSync(at).equals(bytes);
  });
}
