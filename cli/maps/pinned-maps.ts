/** The pinned maps of an instance, opened read only: no daemon is asked, so this works when both are dead. */
import { readdirSync } from 'node:fs';
import { mapFile } from '../../dataplane/native/index.ts';
import type { Mapper } from '../../policy-maps/table/map-file.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';

/** What every class of policy-maps has. */
export interface MapDoor<M> {
  open(path: string, mapper: Mapper, options?: { writable?: boolean }): M;
}

/** Names of the policy maps begin so; the endpoint's id follows. */
const POLICY_PREFIX = 'policy_';

/** The folder of an instance's pinned maps. */
export function mapFolder(settings: Settings): string {
  return `${settings.runDir}/maps`;
}

/**
 * Opens one map.
 * @param name of its file, e.g. `ipcache`
 * @throws Failure when there is no such map, or it is no map of this kind and layout
 */
export function openPinned<M>(settings: Settings, name: string, door: MapDoor<M>): M {
  const path = `${mapFolder(settings)}/${name}`;
  try {
    return door.open(path, mapFile);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (code === 'ERR_MAP_MISSING') {
      const advice = 'has sluiced run under this --run-dir? it makes the maps, and removes them when it is stopped';
      throw new Failure(`${message}: ${advice}`, EXIT.FAILED, { cause: error });
    }
    if (code === 'ERR_MAP_FORMAT')
      throw new Failure(`${message}: is sluice as new as sluiced?`, EXIT.FAILED, { cause: error });
    throw error;
  }
}

/** Ids of the endpoints that have a policy map, ascending. */
export function policyMapIds(settings: Settings): number[] {
  return mapNames(settings)
    .filter((name) => name.startsWith(POLICY_PREFIX))
    .map((name) => Number(name.slice(POLICY_PREFIX.length)))
    .filter(Number.isInteger)
    .sort((a, b) => a - b);
}

/** File name of an endpoint's policy map. */
export function policyMapName(endpoint: number): string {
  return `${POLICY_PREFIX}${endpoint}`;
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
    throw new Failure(`list maps ${folder}: ${code}: has sluiced run under this --run-dir?`, EXIT.FAILED, {
      cause: error,
    });
  }
}
