/** The rules behind the cookies of map entries, for `sluice bpf policy get`: only a running agent knows them. */
import { DaemonApi } from '../../api/daemon-api.ts';
import type { CookieDocument } from '../../api/shapes.ts';
import type { Settings } from '../terminal/settings.ts';
import { MAP_READER_MS } from './identity-names.ts';

export type CookieOrigins = ReadonlyMap<number, CookieDocument['origins']>;

/** Undefined when no agent answers: a map can be read all the same. Never throws. */
export async function loadCookieOrigins(settings: Settings): Promise<CookieOrigins | undefined> {
  try {
    const api = new DaemonApi({ ...settings, timeoutMs: Math.min(settings.timeoutMs, MAP_READER_MS) });
    return new Map((await api.cookies()).map(({ id, origins }) => [id, origins]));
  } catch {
    return undefined;
  }
}
