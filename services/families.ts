/** Which address families a service has, and in which order, of those that services can have here. */
import { isIP } from 'node:net';
import type { Family, ServiceSpec } from '../policy/rule/service-spec.ts';

export interface Families {
  readonly families: readonly Family[];
  /** Why it has fewer than it asks for; '' when it has all. */
  readonly problem: string;
}

/** @param here families that services can have, the preferred one first */
export function familiesOf(spec: ServiceSpec, here: readonly Family[]): Families {
  if (spec.type === 'ExternalName') return { families: [], problem: '' };
  const given = spec.clusterIPs.map((text) => isIP(text) as Family);
  const named = [...new Set([...(spec.families.length > 0 ? spec.families : []), ...given])];
  // Nobody draws addresses for what has none: its backends may be of any family.
  const isOpen = spec.isHeadless && named.length === 0 && Object.keys(spec.selector).length === 0;
  const wanted = isOpen ? ([4, 6] as const) : completed(named, spec, here);
  const families = spec.isHeadless ? wanted : wanted.filter((family) => here.includes(family));
  const missing = wanted.filter((family) => !families.includes(family));
  if (missing.length > 0 && spec.familyPolicy !== 'PreferDualStack')
    return {
      families,
      problem: `found ${missing.map((family) => `IPv${family}`).join(', ')}, of which there is no serviceCIDR`,
    };
  if (spec.familyPolicy === 'RequireDualStack' && families.length < 2)
    return { families, problem: `found RequireDualStack and ${families.length} serviceCIDR, wanted both families` };
  return { families, problem: '' };
}

function completed(named: readonly Family[], spec: ServiceSpec, here: readonly Family[]): readonly Family[] {
  if (spec.familyPolicy === 'SingleStack') return named.length > 0 ? named.slice(0, 1) : here.slice(0, 1);
  return [...new Set([...named, ...here])];
}
