/**
 * What a rig made, remembered in `<runDir>/rig/<name>.json` from the first thing on, so that `rig down` can undo a rig
 * whose raising broke off half-way. The output of its containers lies beside it in `<runDir>/rig/<name>/`.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Failure } from '../terminal/failure.ts';
import type { ProcessId } from '../../linux/process-id.ts';

export interface RigState {
  readonly name: string;
  /** Manifest files, as given. */
  readonly files: readonly string[];
  /** Namespaces the rig made; those it found are left alone. */
  netns: string[];
  /** Files under /etc/netns that the rig wrote. */
  etcFiles: string[];
  pods: { namespace: string; name: string; netns: string }[];
  processes: RigProcess[];
  /** What the daemon was given, to be deleted in reverse order. */
  objects: { kind: string; namespace: string; name: string }[];
}

export interface RigProcess extends ProcessId {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly argv: readonly string[];
  readonly log: string;
}

/** Where all rigs of an instance are remembered. */
function rigFolder(runDir: string): string {
  return `${runDir}/rig`;
}

/** The folder of a rig's logs. */
export function logFolder(runDir: string, rig: string): string {
  return `${rigFolder(runDir)}/${rig}`;
}

/** A rig is named after its first file or folder: `examples/shop/` and `shop.yaml` give `shop`. */
export function rigNameOf(file: string): string {
  const name = basename(file.replace(/\/+$/, '')).replace(/\.(ya?ml|json)$/, '');
  return name === '-' || name === '.' || name === '' ? 'rig' : name.replace(/[^\w.-]/g, '_');
}

/** All rigs that are remembered, by name. */
export function listRigs(runDir: string): RigState[] {
  try {
    const names = readdirSync(rigFolder(runDir)).filter((file) => file.endsWith('.json'));
    return names.sort().map((file) => readRig(runDir, file.slice(0, -'.json'.length)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * One rig.
 * @throws Failure when there is none of that name
 */
export function readRig(runDir: string, name: string): RigState {
  if (!/^[\w.-]+$/.test(name) || /^\.+$/.test(name)) throw new Failure(`rig ${name}: that is no rig's name`);
  const path = `${rigFolder(runDir)}/${name}.json`;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RigState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Failure(`read ${path}: no rig '${name}' is up here: see \`sluice rig list\``);
  }
}

/** Writes a rig's state so that a crash leaves the old or the new one. */
export function saveRig(runDir: string, state: RigState): void {
  mkdirSync(logFolder(runDir, state.name), { recursive: true });
  const path = `${rigFolder(runDir)}/${state.name}.json`;
  writeFileSync(`${path}.new`, `${JSON.stringify(state, undefined, 1)}\n`);
  renameSync(`${path}.new`, path);
}

/** Forgets a rig, its logs too. */
export function forgetRig(runDir: string, name: string): void {
  rmSync(logFolder(runDir, name), { recursive: true, force: true });
  rmSync(`${rigFolder(runDir)}/${name}.json`, { force: true });
  for (const folder of [rigFolder(runDir), runDir]) {
    try {
      rmdirSync(folder);
    } catch {
      return; // not empty: others still use it
    }
  }
}
