/**
 * What is known of each kind: Kubernetes' from the table, Cilium's policies from the shapes that are enforced, and what
 * CustomResourceDefinitions bring. Of any other kind, metadata alone is known, and every field is taken as it is.
 */
import { DEFINITIONS } from '../resources/custom-resource.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import type { Storage } from '../storage/storage.ts';
import { customStructure } from './custom-structure.ts';
import { policyStructure } from './policy-structures.ts';
import type { ObjectStructure } from './structure.ts';
import { tableStructure } from './structure-table.ts';

export interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
}

const keyOf = ({ apiVersion, kind }: Kind) => `${apiVersion}, ${kind}`;
/** Groups whose structures lie in another package. */
const PACKAGES: Readonly<Record<string, string>> = { '': 'core', 'apiextensions.k8s.io': '^apiextensions' };
/** Kinds of the machinery, which stand in the core group. */
const MACHINERY = new Set(['Status', 'DeleteOptions', 'APIResourceList', 'APIGroupList']);

export class Structures {
  readonly #custom = new Map<string, ObjectStructure>();
  /** Of custom kinds, whose status is a part as any other. */
  readonly #plainStatus = new Set<string>();

  /** Of a kind; never fails: what is not known is open. */
  of(kind: Kind): ObjectStructure {
    return this.#custom.get(keyOf(kind)) ?? builtIn(kind) ?? UNKNOWN;
  }

  /** Whether a CustomResourceDefinition, or nothing at all, says what its fields are. */
  isCustom(kind: Kind): boolean {
    return builtIn(kind) === undefined;
  }

  /** Whether the agent reads it and refuses what it does not understand. */
  isPolicy({ apiVersion, kind }: Kind): boolean {
    return kind === 'NetworkPolicy' || (apiVersion.startsWith('cilium.io/') && policyStructure(kind) !== undefined);
  }

  /** Whether its status is written apart from the rest. */
  hasSeparateStatus(kind: Kind): boolean {
    return this.of(kind).fields.has('status') && !this.#plainStatus.has(keyOf(kind));
  }

  /** Takes up the storage's definitions as they come and go. @returns a function that ends it */
  follow(storage: Storage): () => void {
    for (const definition of storage.list(DEFINITIONS)) this.define(definition);
    return storage.watch(DEFINITIONS, ({ type, object }) => {
      if (type === 'DELETED') this.forget(object);
      else this.define(object);
    });
  }

  /** Takes up the versions of a CustomResourceDefinition; kinds that are known otherwise stay as they are. */
  define(definition: KubeObject): void {
    for (const { kind, schema, hasStatus } of kindsOf(definition)) {
      if (builtIn(kind) !== undefined) continue;
      this.#custom.set(keyOf(kind), customStructure(schema));
      if (hasStatus) this.#plainStatus.delete(keyOf(kind));
      else this.#plainStatus.add(keyOf(kind));
    }
  }

  forget(definition: KubeObject): void {
    for (const { kind } of kindsOf(definition)) {
      this.#custom.delete(keyOf(kind));
      this.#plainStatus.delete(keyOf(kind));
    }
  }
}

const UNKNOWN: ObjectStructure = customStructure(undefined);

function builtIn({ apiVersion, kind }: Kind): ObjectStructure | undefined {
  const slash = apiVersion.indexOf('/');
  const [group, version] = slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
  if (group === 'cilium.io') return policyStructure(kind) ?? tableStructure(`cilium.${version}.${kind}`);
  if (group === '' && MACHINERY.has(kind)) return tableStructure(`~meta.${version}.${kind}`);
  const name = Object.hasOwn(PACKAGES, group) ? PACKAGES[group] : packageOf(group);
  return name === undefined || !/^\w+$/.test(version + kind) ? undefined : tableStructure(`${name}.${version}.${kind}`);
}

/** `apps` of apps, `networking` of networking.k8s.io; groups of others have no package. */
function packageOf(group: string): string | undefined {
  if (group === 'apps' || group === 'batch' || group === 'autoscaling' || group === 'policy') return group;
  return /^([a-z]+)(\.\w+)*\.k8s\.io$/.exec(group)?.[1];
}

interface CustomKind {
  readonly kind: Kind;
  readonly schema: unknown;
  readonly hasStatus: boolean;
}

function kindsOf({ spec }: KubeObject): CustomKind[] {
  const { group, names, versions } = (spec ?? {}) as {
    group?: string;
    names?: { kind?: string };
    versions?: { name?: string; schema?: { openAPIV3Schema?: unknown }; subresources?: { status?: object } }[];
  };
  return (Array.isArray(versions) ? versions : []).map(({ name, schema, subresources }) => ({
    kind: { apiVersion: `${group}/${name}`, kind: names?.kind ?? '' },
    schema: schema?.openAPIV3Schema,
    hasStatus: subresources?.status !== undefined,
  }));
}
