/**
 * What a rig makes, remembered in `<runDir>/rig/<name>.json` before it is made, so that `rig down` can undo a rig whose
 * raising broke off anywhere. The output of its containers lies beside it in `<runDir>/rig/<name>/`.
 */
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, resolve, sep } from 'node:path';
import { Failure } from '../terminal/failure.ts';
import type { ProcessId } from '../../linux/process-id.ts';

export interface RigState {
  readonly name: string;
  /** Manifest files, as given. */
  readonly files: readonly string[];
  /** Namespaces the rig made; those it found are left alone. */
  netns: string[];
  pods: { namespace: string; name: string; netns: string }[];
  processes: RigProcess[];
  /** What the daemon is given, to be deleted in reverse order. */
  objects: RigObject[];
  /** The folder that the rig is named after: what `sluice apply` makes from files in it goes down with the rig. */
  readonly home?: string | undefined;
}

/** Namespace '' for what is in none. */
export interface RigObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
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

/** A file that says what its folder is. */
const MANIFESTS = /^(manifests?|index)\.(ya?ml|json)$/;

/** The folder that a rig is named after: one that was given, or that of a file called manifests.yaml; undefined for others. */
export function rigHomeOf(file: string): string | undefined {
  if (file === '-') return undefined;
  try {
    const path = realpathSync(file);
    if (statSync(path).isDirectory()) return path;
    return MANIFESTS.test(basename(path)) ? dirname(path) : undefined;
  } catch {
    return undefined; // reading it will say what is wrong
  }
}

/**
 * A rig is named after its first file or folder: `examples/shop/`, `examples/shop/manifests.yaml` and `shop.yaml` give `shop`.
 */
export function rigNameOf(file: string): string {
  const path = resolve(file);
  const named = MANIFESTS.test(basename(path)) ? dirname(path) : path;
  const name = file === '-' ? '' : basename(named).replace(/\.(ya?ml|json)$/, '');
  return name === '' ? 'rig' : name.replace(/[^\w.-]/g, '_');
}

/** Gives the rigs whose folder a file lies in what was made from it. @param file '-' and `stdin` lie nowhere */
export function followRigs(runDir: string, file: string, made: readonly RigObject[]): void {
  if (made.length === 0) return;
  let path = '';
  try {
    path = realpathSync(file);
  } catch {
    return; // standard input
  }
  for (const rig of listRigs(runDir)) {
    if (rig.home === undefined || !path.startsWith(rig.home + sep)) continue;
    rig.objects.push(...made);
    saveRig(runDir, rig);
  }
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

/**
 * Writes the state of a rig that nobody has begun.
 * @throws Failure when there is one of that name
 */
export function beginRig(runDir: string, state: RigState): void {
  mkdirSync(logFolder(runDir, state.name), { recursive: true });
  const path = `${rigFolder(runDir)}/${state.name}.json`;
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, `${JSON.stringify(state, undefined, 1)}\n`);
    linkSync(draft, path); // one of two that come at once gets EEXIST, and nobody reads half a state
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Failure(
      `raise rig ${state.name}: it is up already: \`sluice rig down ${state.name}\` first, or give another --rig name`,
    );
  } finally {
    rmSync(draft, { force: true });
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
