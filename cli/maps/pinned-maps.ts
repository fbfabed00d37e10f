/** The pinned maps of an instance, opened read only: no daemon is asked, so this works when both are dead. */
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { mapFile } from '../../dataplane/native/index.ts';
import {
  endpointOfPolicy,
  type Maps,
  PINNED,
  PINNED_POLICY,
  type PinnedFile,
  type PinnedName,
  policyFile,
} from '../../policy-maps/pinned.ts';
import type { PolicyMap } from '../../policy-maps/policy-map.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';

const AS_ROOT = 'run as root: the maps are for root alone';

/** The folder of an instance's pinned maps. */
export function mapFolder(settings: Settings): string {
  return `${settings.runDir}/maps`;
}

/** Whether there is such a map: an agent of before a map came does not make it. */
export function hasPinned(settings: Settings, name: PinnedName): boolean {
  return existsSync(`${mapFolder(settings)}/${PINNED[name].file}`);
}

/** Opens one map. @throws Failure as openFile */
export function openPinned<Name extends PinnedName>(settings: Settings, name: Name): Maps[Name] {
  return openFile(settings, PINNED[name] as unknown as PinnedFile<Maps[Name]>, PINNED[name].file);
}

/** Opens the policy of an endpoint. @throws Failure as openFile */
export function openPolicy(settings: Settings, endpoint: number): PolicyMap {
  return openFile(settings, PINNED_POLICY, policyFile(endpoint));
}

/**
 * Opens a pinned file.
 * @param isWritable for words that are the reader's own
 * @throws Failure when there is no such map, or it is no map of this kind and layout
 */
export function openFile<M>(settings: Settings, { map }: PinnedFile<M>, file: string, isWritable = false): M {
  const path = `${mapFolder(settings)}/${file}`;
  try {
    return map.open(path, mapFile, { writable: isWritable });
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    // To open a file below a folder that one may not enter looks as if there were none.
    if (code === 'EACCES' || isForbidden(mapFolder(settings))) {
      throw new Failure(`open ${path}: EACCES: ${AS_ROOT}`, EXIT.FAILED, { cause: error });
    }
    if (code === 'ERR_MAP_MISSING') {
      const advice = 'has sluiced run under this --run-dir? it makes the maps, and removes them when it is stopped';
      throw new Failure(`${message}: ${advice}`, EXIT.FAILED, { cause: error });
    }
    if (code === 'ERR_MAP_FORMAT')
      throw new Failure(`${message}: is sluice as new as sluiced?`, EXIT.FAILED, { cause: error });
    throw error;
  }
}

function isForbidden(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

/** Ids of the endpoints that have a policy map, ascending. */
export function policyMapIds(settings: Settings): number[] {
  const ids = mapNames(settings).map(endpointOfPolicy);
  return ids.filter((id) => id !== undefined).sort((a, b) => a - b);
}

/**
 * Names of all pinned files.
 * @throws Failure when there is no folder of maps
 */
export function mapNames(settings: Settings): string[] {
  const folder = mapFolder(settings);
  try {
    return readdirSync(folder)
      .filter((name) => !name.includes('.new-'))
      .sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const advice = code === 'EACCES' ? AS_ROOT : 'has sluiced run under this --run-dir?';
    throw new Failure(`list maps ${folder}: ${code}: ${advice}`, EXIT.FAILED, { cause: error });
  }
}
