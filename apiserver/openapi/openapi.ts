/**
 * The API's description of itself, which `kubectl explain`, `apply`, `diff` and `--dry-run` go by: OpenAPI 2 as a whole, in JSON or in the
 * protobuf that kubectl before 1.27 asks for; OpenAPI 3 by group and version.
 *
 * A document is made when it is first asked for and kept as bytes (2 MB in all) until what is served changes. Its hash is of its bytes.
 */
import { createHash } from 'node:crypto';
import type { Resource } from '../resources/resource.ts';
import type { Resources } from '../resources/resources.ts';
import { encodeDocument } from './gnostic.ts';
import { pathsOf } from './paths.ts';
import { type Schema, Schemas } from './schemas.ts';
import { tableStructure } from './structure-table.ts';
import type { Structures } from './structures.ts';

/** As it is asked for, and as it is answered: clients take an '@' in the answer for a fault. */
const ASKED_PROTOBUF = /application\/com\.github\.proto-openapi\.spec\.v2[@.]v1\.0\+protobuf/;
const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const JSON_TYPE = 'application/json';

export interface Document {
  /** The media type. */
  readonly type: string;
  readonly body: Uint8Array;
  /** Of the bytes, in quotes as HTTP has it. */
  readonly etag: string;
}

export class OpenApi {
  readonly #resources: Resources;
  readonly #structures: Structures;
  readonly #documents = new Map<string, Document>();
  readonly #info: object;
  /** Of the resources that the documents are of. */
  #version = -1;

  /** @param version what the server calls itself: `v1.37.2` */
  constructor(resources: Resources, structures: Structures, version: string) {
    this.#info = { title: 'Kubernetes', version };
    this.#resources = resources;
    this.#structures = structures;
  }

  /** `/openapi/v2`. @param accept the header of the request */
  v2(accept: string): Document {
    const type = ASKED_PROTOBUF.test(accept) ? PROTOBUF : JSON_TYPE;
    return this.#document(type, type, () => {
      const document = this.#document2();
      return type === PROTOBUF ? encodeDocument(document) : bytes(document);
    });
  }

  /** `/openapi/v3` */
  v3Index(): object {
    const entries = this.#groupVersions().map((path) => {
      const hash = this.v3(path)?.etag.replaceAll('"', '') ?? '';
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }] as const;
    });
    return { paths: Object.fromEntries(entries) };
  }

  /** @param path `apis/apps/v1`, `api/v1`. @returns undefined when there is nothing of that name */
  v3(path: string): Document | undefined {
    if (!this.#groupVersions().includes(path)) return undefined;
    const apiVersion = path.replace(/^apis?\//, '');
    return this.#document(path, JSON_TYPE, () => bytes(this.#document3(apiVersion)));
  }

  #document(key: string, type: string, make: () => Uint8Array): Document {
    if (this.#version !== this.#resources.version) this.#documents.clear();
    this.#version = this.#resources.version;
    let document = this.#documents.get(key);
    if (document === undefined) {
      const body = make();
      document = { type, body, etag: `"${createHash('sha256').update(body).digest('hex').toUpperCase()}"` };
      this.#documents.set(key, document);
    }
    return document;
  }

  #groupVersions(): string[] {
    const all = this.#resources.all().flatMap((resource) => apiVersionsOf(resource));
    return [...new Set(all)].map((apiVersion) =>
      apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`,
    );
  }

  #document2(): Schema {
    const schemas = new Schemas(2);
    const paths = this.#paths(schemas, 2);
    return { swagger: '2.0', info: this.#info, paths, definitions: schemas.all() };
  }

  #document3(apiVersion: string): Schema {
    const schemas = new Schemas(3);
    const paths = this.#paths(schemas, 3, apiVersion);
    return { openapi: '3.0.0', info: this.#info, paths, components: { schemas: schemas.all() } };
  }

  #paths(schemas: Schemas, version: 2 | 3, only?: string): Schema {
    const listMeta = tableStructure('~meta.v1.ListMeta');
    const paths: Schema = {};
    for (const resource of this.#resources.all()) {
      for (const apiVersion of apiVersionsOf(resource)) {
        if (only !== undefined && apiVersion !== only) continue;
        const kind = { apiVersion, kind: resource.kind };
        const item = schemas.addKind(kind, this.#structures.of(kind));
        const list = listMeta === undefined ? item : schemas.addList(kind, resource.listKind, item, listMeta);
        Object.assign(paths, pathsOf({ resource, apiVersion, item, list }, schemas, version));
      }
    }
    return paths;
  }
}

function apiVersionsOf({ group, versions }: Resource): string[] {
  return versions.map((version) => (group === '' ? version : `${group}/${version}`));
}

const bytes = (document: Schema): Uint8Array => Buffer.from(JSON.stringify(document));
