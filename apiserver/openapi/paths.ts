/**
 * The paths of the API as OpenAPI has them: what may be done with each resource, and with which query parameters. kubectl looks here whether
 * a kind can be tried without being written (dryRun), and whether the server checks fields (fieldValidation).
 */
import type { Resource } from '../resources/resource.ts';
import { groupVersionKind, type Schema, type Schemas } from './schemas.ts';

/** How each verb is asked, and what it takes. */
interface Verb {
  readonly method: string;
  readonly action: string;
  /** Of all objects, where others are of one. */
  readonly isOfAll?: true;
  readonly hasBody?: true;
  readonly query: readonly string[];
}

const LIST = ['allowWatchBookmarks', 'continue', 'fieldSelector', 'labelSelector', 'limit', 'resourceVersion'];
const LISTING = [...LIST, 'resourceVersionMatch', 'sendInitialEvents', 'timeoutSeconds', 'watch'];
const WRITING = ['dryRun', 'fieldManager', 'fieldValidation'];
const DELETING = ['dryRun', 'gracePeriodSeconds', 'orphanDependents', 'propagationPolicy'];

const VERBS: Readonly<Record<string, Verb>> = {
  list: { method: 'get', action: 'list', isOfAll: true, query: LISTING },
  create: { method: 'post', action: 'post', isOfAll: true, hasBody: true, query: WRITING },
  deletecollection: { method: 'delete', action: 'deletecollection', isOfAll: true, query: [...LISTING, ...DELETING] },
  get: { method: 'get', action: 'get', query: [] },
  update: { method: 'put', action: 'put', hasBody: true, query: WRITING },
  patch: { method: 'patch', action: 'patch', hasBody: true, query: [...WRITING, 'force'] },
  delete: { method: 'delete', action: 'delete', query: DELETING },
};

const TYPES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['allowWatchBookmarks', 'force', 'orphanDependents', 'sendInitialEvents', 'watch'].map((name) => [name, 'boolean']),
  ),
  ...Object.fromEntries(['gracePeriodSeconds', 'limit', 'timeoutSeconds'].map((name) => [name, 'integer'])),
};
const PATCHES = [
  ...['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json'],
  'application/apply-patch+yaml',
];

/** What a resource is in one version of its group. */
interface Served {
  readonly resource: Resource;
  readonly apiVersion: string;
  /** Name of the definition of its kind, and of its list. */
  readonly item: string;
  readonly list: string;
}

/** @param version of OpenAPI. @returns paths -> what may be done there */
export function pathsOf(served: Served, schemas: Schemas, version: 2 | 3): Record<string, Schema> {
  const { resource, apiVersion } = served;
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const all = `${root}/${resource.isNamespaced ? 'namespaces/{namespace}/' : ''}${resource.plural}`;
  const write = new PathWriter(served, schemas, version);
  const kind = { apiVersion, kind: resource.kind };
  const paths: Record<string, Schema> = {};
  const put = (path: string, operations: Schema) => {
    if (Object.keys(operations).length > 0) paths[path] = { ...operations, ...write.parameters(path) };
  };
  put(all, write.operations(resource.verbs, true, kind));
  put(`${all}/{name}`, write.operations(resource.verbs, false, kind));
  if (resource.isNamespaced && resource.verbs.includes('list'))
    put(`${root}/${resource.plural}`, write.operations(['list'], true, kind));
  for (const { name, kind: other, group = resource.group, version: its, verbs } of resource.subresources) {
    const named = {
      apiVersion: groupVersion(group, its ?? apiVersion.slice(apiVersion.indexOf('/') + 1)),
      kind: other,
    };
    // Streams are not described: no client asks for them.
    const known = verbs.filter(
      (verb) => verb === 'create' || (VERBS[verb] !== undefined && VERBS[verb].isOfAll !== true),
    );
    put(`${all}/{name}/${name}`, write.operations(known, undefined, named));
  }
  return paths;
}

const groupVersion = (group: string, version: string) => (group === '' ? version : `${group}/${version}`);

class PathWriter {
  readonly #served: Served;
  readonly #schemas: Schemas;
  readonly #version: 2 | 3;

  constructor(served: Served, schemas: Schemas, version: 2 | 3) {
    this.#served = served;
    this.#schemas = schemas;
    this.#version = version;
  }

  /** @param isOfAll which verbs are meant; undefined for all that are named */
  operations(
    verbs: readonly string[],
    isOfAll: boolean | undefined,
    kind: { apiVersion: string; kind: string },
  ): Schema {
    const operations: Schema = {};
    for (const name of verbs) {
      const verb = VERBS[name];
      if (verb === undefined || (isOfAll !== undefined && (verb.isOfAll === true) !== isOfAll)) continue;
      const isOwn = kind.kind === this.#served.resource.kind;
      operations[verb.method] = this.#operation(name, verb, kind, isOwn ? this.#answer(name) : undefined);
    }
    return operations;
  }

  #answer(verb: string): string {
    return verb === 'list' ? this.#served.list : this.#served.item;
  }

  #operation(name: string, verb: Verb, kind: { apiVersion: string; kind: string }, answer: string | undefined): Schema {
    const ref = answer === undefined ? { type: 'object' } : { $ref: this.#schemas.ref(answer) };
    const types = name === 'patch' ? PATCHES : ['application/json'];
    const query = verb.query.map((parameter) => this.#parameter(parameter, 'query'));
    const body = name === 'patch' ? { type: 'object' } : ref;
    const isTwo = this.#version === 2;
    return {
      description: `${name} ${kind.kind}`,
      ...(isTwo && { consumes: verb.hasBody ? types : ['*/*'], produces: ['application/json'] }),
      parameters: [
        ...(isTwo && verb.hasBody ? [{ name: 'body', in: 'body', required: true, schema: body }] : []),
        ...query,
      ],
      ...(!isTwo && verb.hasBody && { requestBody: { content: contents(types, body), required: true } }),
      responses: {
        '200': { description: 'OK', ...(isTwo ? { schema: ref } : { content: contents(['application/json'], ref) }) },
      },
      'x-kubernetes-action': verb.action,
      'x-kubernetes-group-version-kind': groupVersionKind(kind),
    };
  }

  /** Those of the path itself. */
  parameters(path: string): Schema {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    return names.length === 0 ? {} : { parameters: names.map((name) => this.#parameter(name, 'path')) };
  }

  #parameter(name: string, where: 'query' | 'path'): Schema {
    const type = TYPES[name] ?? 'string';
    const typed = this.#version === 2 ? { type, uniqueItems: true } : { schema: { type, uniqueItems: true } };
    return { name, in: where, ...(where === 'path' && { required: true }), ...typed };
  }
}

function contents(types: readonly string[], schema: Schema): Schema {
  return Object.fromEntries(types.map((type) => [type, { schema }]));
}
