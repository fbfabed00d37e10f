/** The world of a running agent, as `GET /v1/world` tells it, whole. */
import type { PlacedObject } from '../policy/document/placed.ts';
import type { PolicyConfig } from '../policy/rule/options.ts';
import type { NodeSpec } from '../policy/rule/spec.ts';
import type { DaemonApi } from './daemon-api.ts';
import { ApiError } from './error.ts';
import type { CookieDocument, FqdnCacheDocument, IdentityDocument, WorldLine } from './shapes.ts';

export interface ToldWorld {
  readonly options: PolicyConfig;
  readonly objects: readonly PlacedObject[];
  readonly nodes: readonly NodeSpec[];
  readonly identities: readonly IdentityDocument[];
  readonly cookies: readonly CookieDocument[];
  /** Addresses by DNS name, as pods learnt them. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** Of this state of the world; '' of an agent that does not tell it. */
  readonly tag: string;
}

/** For the whole answer, once it has begun. */
const TELLING_MS = 120_000;

/**
 * @param unless the tag of a world that is known already
 * @returns undefined when the world is still that one
 * @throws ApiError when no agent answers, or it breaks off: half a world would be judged as if the rest were not there
 */
export async function askWorld(api: DaemonApi, unless = ''): Promise<ToldWorld | undefined> {
  let options: PolicyConfig = {};
  let tag = '';
  let state: 'broken off' | 'whole' | 'unchanged' = 'broken off';
  const objects: PlacedObject[] = [];
  const nodes: NodeSpec[] = [];
  const identities: IdentityDocument[] = [];
  const cookies: CookieDocument[] = [];
  const take = (line: WorldLine): void => {
    if ('options' in line) options = line.options;
    else if ('object' in line) objects.push(line.object);
    else if ('node' in line) nodes.push(line.node);
    else if ('identity' in line) identities.push(line.identity);
    else if ('cookie' in line) cookies.push(line.cookie);
    else if ('tag' in line) tag = line.tag;
    else if ('unchanged' in line) state = 'unchanged';
    else if ('end' in line) state = 'whole';
  };
  await api.world(AbortSignal.timeout(TELLING_MS), take, unless);
  const reached = state as string; // the compiler does not see that take() changes it
  if (reached === 'broken off')
    throw new ApiError(`get /v1/world: found an answer that breaks off, wanted a whole one: see the agent's log`);
  if (reached === 'unchanged') return undefined;
  const names = namesOf(await api.fqdnCache({}));
  return { options, objects, nodes, identities, cookies, names, tag };
}

/** Those that toFQDNs allows. */
function namesOf(cache: readonly FqdnCacheDocument[]): Map<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  for (const { fqdn, ips, source } of cache) {
    if (source === 'guarded') continue;
    const name = fqdn.replace(/\.$/, '');
    names.set(name, [...new Set([...(names.get(name) ?? []), ...ips])]);
  }
  return names;
}
