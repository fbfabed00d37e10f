/** Which secrets a policy names: those that its header conditions compare with. */
import { type Fields, fieldsOf } from './trimming.ts';

const MAX_DEPTH = 16; // from a policy to a header condition there are eight levels

/** `namespace/name`, each once. */
export function secretsNamed(policy: Fields): string[] {
  const { namespace } = fieldsOf(policy['metadata']);
  const own = typeof namespace === 'string' ? namespace : '';
  const found = new Set<string>();
  look([policy['spec'], policy['specs']], own, found, 0);
  return [...found];
}

function look(value: unknown, own: string, found: Set<string>, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'headerMatches' && Array.isArray(inner)) for (const match of inner) note(match, own, found);
    else look(inner, own, found, depth + 1);
  }
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** What is no name would be a path of a request; one of another namespace the policy may not have (policy/header-secrets.ts). */
function note(match: unknown, own: string, found: Set<string>): void {
  const { namespace, name } = fieldsOf(fieldsOf(match)['secret']);
  const place = namespace || own;
  if (own !== '' && place !== own) return;
  if (typeof place === 'string' && typeof name === 'string' && NAME.test(place) && NAME.test(name))
    found.add(`${place}/${name}`);
}
