/**
 * create, update, patch, delete and deletecollection. A write goes this way:
 *
 *     body --> kind, name, namespace --> rules (fields, defaults, patch) --> admission (the agent reads it) --> storage --> in force --> answer
 *
 * Admission takes a turn of the loop or more; when the object has changed meanwhile, the write begins anew with what there is, at most TRIES
 * times, unless the client has said which version it meant. The answer goes out when the agent has published what was written, or has had its
 * time for it, which is a warning.
 */
import type { WriteOptions, Writes, Written } from '../patch/writes.ts';
import { begunObject } from '../resources/begun.ts';
import { DEFINITIONS } from '../resources/custom-resource.ts';
import { kindName, pathName } from '../resources/resource.ts';
import { type KubeObject, type NewObject, timestamp } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import type { Storage } from '../storage/storage.ts';
import type { Admission } from './admission.ts';
import { bodyBytes, bodyDocument, parseJson, parseYaml } from './body.ts';
import { type Answer, type Call, isSet } from './call.ts';
import { deleteOptions, isDryRun } from './delete-options.ts';
import { contentTypeOf } from './media-types.ts';
import { checkName } from './names.ts';
import type { Reading } from './reading.ts';
import { listKind, shown, shownItem } from './shown.ts';
import { objectOf, stored } from './write-body.ts';

const TRIES = 5;
const APPLY = 'application/apply-patch+yaml';
/** What a cluster cannot be without. */
const KEPT_NAMESPACES = ['default', 'kube-system', 'kube-public'];
const MANAGER_CHARS = 128;
/** What comes with Cilium's own manifests is taken, so that these can be applied as they are. */
const BUILT_IN = 'this kind is built in: its definition stays as it is, and what was written is not kept';

interface WritingParts {
  readonly storage: Storage;
  readonly reading: Reading;
  readonly writes: Writes;
  readonly admission: Admission;
}

export class Writing {
  readonly #storage: Storage;
  readonly #reading: Reading;
  readonly #writes: Writes;
  readonly #admission: Admission;

  constructor({ storage, reading, writes, admission }: WritingParts) {
    this.#storage = storage;
    this.#reading = reading;
    this.#writes = writes;
    this.#admission = admission;
  }

  async create(call: Call): Promise<Answer> {
    const body = objectOf(call, await bodyDocument(call.request));
    return await this.#created(call, this.#writes.create(body, writeOptions(call)));
  }

  /** PUT of an object, or of its status. */
  async update(call: Call): Promise<Answer> {
    const body = objectOf(call, await bodyDocument(call.request));
    const { resourceVersion = '', uid = '' } = body.metadata ?? {};
    const found = this.#reading.found(call);
    if (uid !== '' && uid !== found.metadata.uid) throw otherUid(call, uid, found);
    const document = await this.change(
      call,
      (live) => this.#writes.replace(live, body, writeOptions(call)),
      resourceVersion,
    );
    return { document: shown(call, document, this.#storage) };
  }

  async patch(call: Call): Promise<Answer> {
    const type = contentTypeOf(call.request.headers['content-type']);
    const text = (await bodyBytes(call.request)).toString('utf8');
    if (type === APPLY || type === 'application/apply-patch+json') return await this.#apply(call, parseYaml(text));
    const patch = parseJson(text);
    const document = await this.change(call, (live) => this.#writes.patch(live, type, patch, writeOptions(call)), '');
    return { document: shown(call, document, this.#storage) };
  }

  /**
   * Changes the object of the path.
   * @param rule makes the object to be of the one that is there
   * @param resourceVersion that it must be at; '' for any
   */
  async change(
    call: Call,
    rule: (live: KubeObject) => Pick<Written, 'object' | 'warnings'>,
    resourceVersion: string,
  ): Promise<KubeObject> {
    const { resource, path } = call;
    for (let tries = 1; ; tries++) {
      const live = this.#reading.found(call);
      const { object, warnings } = rule(live);
      const wanted = stored(call, object) as KubeObject;
      checkSame(call, live, wanted);
      if (this.#isBuiltIn(call)) return this.#kept(call, live);
      for (const version of [resourceVersion, wanted.metadata.resourceVersion])
        if (version !== '' && version !== live.metadata.resourceVersion) throw modified(call);
      const noted = await this.#admit(call, wanted);
      if (this.#storage.get(resource.name, path.namespace, path.name) !== live) {
        if (resourceVersion !== '' || tries >= TRIES) throw modified(call);
        continue;
      }
      const options = { isStatus: path.subresource === 'status', isDryRun: isDryRun(call.query) };
      const made = this.#storage.update(resource.name, path.namespace, path.name, () => wanted, options);
      call.warnings.push(...warnings, ...noted);
      await this.#settled(call);
      return made;
    }
  }

  async delete(call: Call): Promise<Answer> {
    const { before, left } = await this.remove(call, await bodyDocument(call.request));
    const { resource, path } = call;
    if (left !== undefined) return { document: shown(call, left, this.#storage) };
    // Pods are answered whole, as Kubernetes does; of others only that they are gone.
    if (resource.name === 'pods') return { document: shown(call, before, this.#storage) };
    const details = { name: path.name, ...(path.group !== '' && { group: path.group }), kind: resource.plural };
    return { document: success({ ...details, uid: before.metadata.uid }) };
  }

  /** @param options DeleteOptions, when there are any @returns the object as it was, and as it is while something keeps it */
  async remove(call: Call, options: unknown): Promise<{ before: KubeObject; left: KubeObject | undefined }> {
    const { resource, path } = call;
    const before = this.#reading.found(call);
    if (resource.name === 'namespaces' && KEPT_NAMESPACES.includes(path.name))
      throw StatusError.forbidden('namespaces', path.name, 'this namespace may not be deleted');
    if (this.#isBuiltIn(call)) throw StatusError.forbidden(DEFINITIONS, path.name, 'this kind is built in, and stays');
    const left = this.#storage.delete(resource.name, path.namespace, path.name, deleteOptions(call, options));
    await this.#settled(call);
    return { before, left };
  }

  async deleteCollection(call: Call): Promise<Answer> {
    const options = deleteOptions(call, await bodyDocument(call.request));
    const { resource } = call;
    const objects = this.#reading.selected(call);
    const deleted = objects.filter(({ metadata: { name, namespace = '' } }) => {
      if (this.#storage.isMirrored(resource.name, namespace, name)) return false;
      if (resource.name === 'namespaces' && KEPT_NAMESPACES.includes(name)) return false;
      this.#storage.delete(resource.name, namespace, name, options);
      return true;
    });
    const kept = objects.length - deleted.length;
    if (kept > 0) call.warnings.push(`${kept} of them are not this API's to delete`);
    await this.#settled(call);
    const metadata = { resourceVersion: this.#storage.resourceVersion };
    return { document: { ...listKind(call), metadata, items: deleted.map((one) => shownItem(call, one)) } };
  }

  async #apply(call: Call, body: unknown): Promise<Answer> {
    if ((call.query.get('fieldManager') ?? '') === '')
      throw StatusError.badRequest(
        'PatchOptions is invalid: fieldManager: Required value: is required for apply patch',
      );
    const applied = objectOf(call, body);
    const { resource, path } = call;
    const options = writeOptions(call);
    if (this.#isBuiltIn(call))
      return { document: shown(call, this.#kept(call, this.#reading.found(call)), this.#storage) };
    if (this.#storage.get(resource.name, path.namespace, path.name) === undefined && path.subresource === '')
      return await this.#created(call, this.#writes.apply(undefined, applied, options));
    const document = await this.change(call, (live) => this.#writes.apply(live, applied, options), '');
    return { document: shown(call, document, this.#storage) };
  }

  async #created(call: Call, { object: ruled, warnings }: Written): Promise<Answer> {
    const { resource, path } = call;
    this.#checkNamespace(call);
    const object = begunObject(resource.name, ruled, Date.now());
    const { resourceVersion = '', name = '', generateName = '' } = object.metadata ?? {};
    if (resourceVersion !== '')
      throw StatusError.badRequest('resourceVersion should not be set on objects to be created');
    // Of an object with the beginning of a name alone, the rest is known only now.
    const prepared = this.#storage.create(resource.name, stored(call, object), { isDryRun: true });
    checkName(resource, prepared.metadata.name);
    const noted = await this.#admit(call, prepared);
    const wanted = name === '' && generateName !== '' ? named(object, prepared.metadata.name) : object;
    const isTrial = isDryRun(call.query);
    const made = isTrial ? unversioned(prepared) : this.#storage.create(resource.name, stored(call, wanted));
    call.warnings.push(...warnings, ...noted);
    if (resource.isInert)
      call.warnings.push(
        `${kindName(resource)} ${path.namespace}/${made.metadata.name}: it is kept, and nothing acts on it`,
      );
    await this.#settled(call);
    const seen = isTrial ? made : (this.#storage.get(resource.name, path.namespace, made.metadata.name) ?? made);
    return { status: 201, document: shown(call, seen, this.#storage) };
  }

  /** Whether it is the definition of a kind that is served without one. */
  #isBuiltIn({ resource, path }: Call): boolean {
    return resource.name === DEFINITIONS && this.#storage.isMirrored(DEFINITIONS, '', path.name);
  }

  #kept(call: Call, live: KubeObject): KubeObject {
    call.warnings.push(BUILT_IN);
    return live;
  }

  /** @returns warnings @throws StatusError 422 */
  async #admit({ resource, path }: Call, object: KubeObject): Promise<readonly string[]> {
    if (path.subresource === 'status' || !this.#admission.concerns(resource.name)) return [];
    const { warnings, causes } = await this.#admission.check(object);
    if (causes.length > 0) throw StatusError.invalid(kindName(resource), object.metadata.name, causes);
    return warnings;
  }

  /** On disk, and in force where the agent enforces it. */
  async #settled({ resource, query, warnings }: Call): Promise<void> {
    if (isDryRun(query)) return;
    await this.#storage.synced();
    if (!this.#admission.concerns(resource.name)) return;
    const problem = await this.#admission.published();
    if (problem !== '') warnings.push(problem);
  }

  /** @throws StatusError 404, 403 */
  #checkNamespace({ resource, path: { namespace } }: Call): void {
    if (!resource.isNamespaced) return;
    const found = this.#storage.get('namespaces', '', namespace);
    if (found === undefined) throw StatusError.notFound('namespaces', namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    const refusal = StatusError.forbidden(pathName(resource), '', why);
    const causes = [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ];
    throw new StatusError(403, 'Forbidden', refusal.message, { ...refusal.details, causes });
  }
}

export function writeOptions({ query, path, request }: Call): WriteOptions {
  const mode = query.get('fieldValidation') ?? '';
  if (!['', 'Strict', 'Warn', 'Ignore'].includes(mode))
    throw StatusError.badRequest(`fieldValidation: found ${JSON.stringify(mode)}, wanted Strict, Warn or Ignore`);
  const manager = query.get('fieldManager') || (request.headers['user-agent'] ?? '').split('/', 1)[0];
  return {
    manager: manager.slice(0, MANAGER_CHARS),
    subresource: path.subresource,
    mode: (mode || 'Warn') as WriteOptions['mode'],
    isForced: isSet(query, 'force'),
    time: timestamp(Date.now()),
  };
}

/** @throws StatusError 422 */
function checkSame({ resource }: Call, { metadata }: KubeObject, wanted: KubeObject): void {
  const { name, namespace } = wanted.metadata;
  if (name === metadata.name && (namespace ?? metadata.namespace) === metadata.namespace) return;
  const message = `Invalid value: ${JSON.stringify(name)}: field is immutable`;
  throw StatusError.invalid(kindName(resource), metadata.name, [
    { field: 'metadata.name', reason: 'FieldValueInvalid', message },
  ]);
}

function modified({ resource, path }: Call): StatusError {
  return StatusError.conflict(
    pathName(resource),
    path.name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

function otherUid({ resource, path }: Call, uid: string, { metadata }: KubeObject): StatusError {
  const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
  return StatusError.conflict(pathName(resource), path.name, why);
}

function named(object: NewObject, name: string): NewObject {
  return { ...object, metadata: { ...object.metadata, name } };
}

/** Of a trial, which has no version. */
function unversioned(object: KubeObject): KubeObject {
  const metadata: Partial<KubeObject['metadata']> = { ...object.metadata };
  delete (metadata as { resourceVersion?: string }).resourceVersion;
  return { ...object, metadata: metadata as KubeObject['metadata'] };
}

function success(details: object): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}
