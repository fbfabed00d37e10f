/**
 * All resources that are served: the built-in ones, and those of CustomResourceDefinitions as they come and go. `version` rises with each
 * change, so that discovery knows when what it has written down is old.
 */
import type { KubeObject, ResourceName } from '../storage/kube-object.ts';
import type { Storage } from '../storage/storage.ts';
import { builtInResources } from './built-in.ts';
import { showDefinitions } from './built-in-definitions.ts';
import { customResource, DEFINITIONS } from './custom-resource.ts';
import type { Resource } from './resource.ts';

export class Resources {
  readonly #builtIn = builtInResources();
  readonly #custom = new Map<string, Resource>();
  #byPath = new Map<string, Resource>();
  #byKind = new Map<string, Resource>();
  #byName = new Map<ResourceName, Resource>();
  #version = 0;

  constructor() {
    this.#index();
  }

  /** Serves what the storage's definitions say, among which those of built-in kinds are shown. @returns a function that ends it */
  follow(storage: Storage): () => void {
    showDefinitions(storage, this.#builtIn);
    for (const definition of storage.list(DEFINITIONS)) this.#take(definition);
    this.#index();
    return storage.watch(DEFINITIONS, ({ type, object }) => {
      const { name } = object.metadata;
      if (type !== 'DELETED') this.#take(object);
      else if (this.#custom.delete(name)) removeAll(storage, name);
      this.#index();
    });
  }

  get version(): number {
    return this.#version;
  }

  /** In the order of discovery. */
  all(): readonly Resource[] {
    return [...this.#byPath.values()].filter((one, i, all) => all.indexOf(one) === i);
  }

  /** @param group '' of the core */
  atPath(group: string, version: string, plural: string): Resource | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`);
  }

  /** @param apiVersion `apps/v1` */
  ofKind(apiVersion: string, kind: string): Resource | undefined {
    return this.#byKind.get(`${apiVersion} ${kind}`);
  }

  /** @param name `deployments.apps` */
  named(name: ResourceName): Resource | undefined {
    return this.#byName.get(name);
  }

  /** Whether a definition's names are those of a built-in resource. */
  isBuiltIn(name: ResourceName): boolean {
    return this.#builtIn.some((one) => one.name === name);
  }

  #take(definition: KubeObject): void {
    const resource = customResource(definition);
    const { name } = definition.metadata;
    if (resource === undefined || this.isBuiltIn(resource.name)) this.#custom.delete(name);
    else this.#custom.set(name, resource);
  }

  #index(): void {
    this.#version++;
    this.#byPath = new Map();
    this.#byKind = new Map();
    this.#byName = new Map();
    for (const resource of [...this.#builtIn, ...this.#custom.values()]) {
      const { group, versions, plural, kind, name } = resource;
      for (const version of versions) {
        this.#byPath.set(`${group}/${version}/${plural}`, resource);
        this.#byKind.set(`${group === '' ? '' : `${group}/`}${version} ${kind}`, resource);
      }
      if (!this.#byName.has(name)) this.#byName.set(name, resource);
    }
  }
}

/** Objects go with their definition, whatever holds them: nobody could write them any more. */
function removeAll(storage: Storage, resource: ResourceName): void {
  for (const { metadata } of storage.list(resource)) {
    const { namespace = '', name, finalizers = [] } = metadata;
    if (finalizers.length > 0)
      storage.update(resource, namespace, name, (one) => ({ ...one, metadata: { ...one.metadata, finalizers: [] } }));
    if (storage.get(resource, namespace, name) !== undefined) storage.delete(resource, namespace, name);
  }
}
