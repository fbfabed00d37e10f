/** A CustomResourceDefinition as a resource that is served. */
import type { KubeObject } from '../storage/kube-object.ts';
import { ALL_VERBS, type Resource, resourceName, type Subresource } from './resource.ts';

export const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io';

interface DefinitionVersion {
  readonly name: string;
  readonly served?: boolean;
  readonly storage?: boolean;
  readonly subresources?: { readonly status?: object; readonly scale?: object };
}

/** As far as it is read here. */
export interface DefinitionSpec {
  readonly group: string;
  readonly names: {
    readonly kind: string;
    readonly plural: string;
    readonly singular?: string;
    readonly listKind?: string;
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
  };
  readonly scope?: string;
  readonly versions?: readonly DefinitionVersion[];
}

const STATUS_VERBS = ['get', 'patch', 'update'];

/** What a definition serves; undefined when it serves no version. */
export function customResource(definition: KubeObject): Resource | undefined {
  const { group, names, scope, versions = [] } = (definition['spec'] ?? {}) as Partial<DefinitionSpec>;
  if (group === undefined || names === undefined) return undefined;
  const served = versions.filter((one) => one.served !== false);
  if (served.length === 0) return undefined;
  const ordered = [...served].sort(byPreference);
  const { kind, plural, singular = kind.toLowerCase(), listKind = `${kind}List` } = names;
  return {
    name: resourceName(group, plural),
    group,
    versions: ordered.map(({ name }) => name),
    ...{ kind, listKind, plural, singular },
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    isNamespaced: scope !== 'Cluster',
    verbs: ALL_VERBS,
    subresources: subresourcesOf(kind, served),
    isInert: false, // it may have a controller of somebody else's
    isCustom: true,
  };
}

function subresourcesOf(kind: string, versions: readonly DefinitionVersion[]): Subresource[] {
  const hasStatus = versions.some(({ subresources }) => subresources?.status !== undefined);
  const hasScale = versions.some(({ subresources }) => subresources?.scale !== undefined);
  return [
    ...(hasStatus ? [{ name: 'status', kind, verbs: STATUS_VERBS }] : []),
    ...(hasScale ? [{ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: STATUS_VERBS }] : []),
  ];
}

const VERSION = /^v(\d+)(?:(alpha|beta)(\d+))?$/;
const STABILITY = ['alpha', 'beta', undefined];

/** As Kubernetes orders versions: stable before beta before alpha, the newer first; what is none of these last, by name. */
function byPreference(a: DefinitionVersion, b: DefinitionVersion): number {
  const [first, second] = [VERSION.exec(a.name), VERSION.exec(b.name)];
  if (first === null || second === null) {
    if (first === null && second === null) return a.name < b.name ? -1 : 1;
    return first === null ? 1 : -1;
  }
  return (
    STABILITY.indexOf(second[2]) - STABILITY.indexOf(first[2]) ||
    Number(second[1]) - Number(first[1]) ||
    Number(second[3] ?? 0) - Number(first[3] ?? 0)
  );
}
