/**
 * What a write makes of an object, from the body of a request to what is stored. In order:
 *
 *     1. A patch is applied to the live object.
 *     2. Types and fields: what is not known is dropped, with a warning or a refusal as the request's fieldValidation says.
 *     3. What this way of writing does not change is as it was: status in a main write, all but status in one of the status, all but ephemeral
 *        containers in one of these.
 *     4. Defaults.
 *     5. Validation, with what may not change.
 *     6. Who has which fields.
 *
 * Policies are not dropped fields of: a rule without what was misspelt in it is another rule. The agent, which reads them afterwards, refuses
 * them with its own words, unless Strict has refused them here.
 */
import { checkFields } from '../openapi/check-fields.ts';
import { withDefaults } from '../openapi/defaults.ts';
import type { ObjectStructure } from '../openapi/structure.ts';
import type { Kind, Structures } from '../openapi/structures.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import { EPHEMERAL, validate } from '../validation/validate.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { checkPlain, isObject, type PlainObject, textOf, without } from './plain.ts';
import { applyServerSide } from './server-side-apply.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';
import { trackUpdate } from './track-update.ts';

export interface WriteOptions {
  /** The query parameter fieldManager, or the first word of `User-Agent`. */
  readonly manager: string;
  /** '' of the object itself. */
  readonly subresource: string;
  /** The query parameter fieldValidation. */
  readonly mode: 'Strict' | 'Warn' | 'Ignore';
  /** Of an apply: takes fields from others. */
  readonly isForced: boolean;
  /** RFC 3339. */
  readonly time: string;
}

export interface Written {
  /** Complete but for what the storage fills in; that of a live object is as it was. */
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

export class Writes {
  readonly #structures: Structures;

  constructor(structures: Structures) {
    this.#structures = structures;
  }

  /** @param body with its name, namespace, apiVersion and kind. @throws StatusError */
  create(body: unknown, options: WriteOptions): Written {
    return this.#update(undefined, readObject(body), options);
  }

  /** @throws StatusError */
  replace(live: KubeObject, body: unknown, options: WriteOptions): Written {
    return this.#update(live, readObject(body), options);
  }

  /**
   * @param mediaType `application/json-patch+json`, `.../merge-patch+json`, `.../strategic-merge-patch+json`
   * @throws StatusError
   */
  patch(live: KubeObject, mediaType: string, body: unknown, options: WriteOptions): Written {
    return this.#update(live, readObject(this.#patched(live, mediaType, body)), options);
  }

  /** Server-side apply. @param live undefined when there is none yet. @throws StatusError 409 with a cause for each conflict, and others */
  apply(live: KubeObject | undefined, body: unknown, options: WriteOptions): Written {
    const { manager, isForced, subresource, time } = options;
    if (manager === '') throw StatusError.badRequest(NO_MANAGER);
    const kind = kindOf(readObject(body));
    checkKind(live, kind);
    const structure = this.#structures.of(kind);
    const isStatusSeparate = this.#structures.hasSeparateStatus(kind);
    const how = { manager, isForced, subresource, time, structure, isStatusSeparate };
    const applied = readObject(applyServerSide({ live, applied: body, ...how }));
    const { managedFields } = applied['metadata'] as PlainObject;
    const { object, warnings } = this.#prepare(live, applied, structure, options);
    const metadata = { ...object.metadata, ...(managedFields !== undefined && { managedFields }) };
    return { object: { ...object, metadata } as KubeObject, warnings };
  }

  #patched(live: KubeObject, mediaType: string, body: unknown): KubeObject {
    switch (mediaType) {
      case 'application/json-patch+json':
        return applyJsonPatch(live, body);
      case 'application/merge-patch+json':
        return applyMergePatch(live, body);
      case 'application/strategic-merge-patch+json':
        if (this.#structures.isCustom(live)) throw StatusError.unsupportedMediaType(NOT_STRATEGIC);
        return applyStrategicMergePatch(live, body, this.#structures.of(live));
      default:
        throw StatusError.unsupportedMediaType(`the body of the request was in an unknown format: ${mediaType}`);
    }
  }

  #update(live: KubeObject | undefined, body: PlainObject, options: WriteOptions): Written {
    const { manager, subresource, time } = options;
    const kind = kindOf(body);
    checkKind(live, kind);
    const structure = this.#structures.of(kind);
    const isStatusSeparate = this.#structures.hasSeparateStatus(kind);
    const { object, warnings } = this.#prepare(live, body, structure, options);
    const how = { manager, subresource, time, structure, isStatusSeparate };
    return { object: trackUpdate({ before: live, after: object, ...how }) as KubeObject, warnings };
  }

  #prepare(
    live: KubeObject | undefined,
    body: PlainObject,
    structure: ObjectStructure,
    options: WriteOptions,
  ): Written {
    const { mode, subresource } = options;
    const kind = kindOf(body);
    const [isPolicy, isCustom] = [this.#structures.isPolicy(kind), this.#structures.isCustom(kind)];
    const checked = checkFields(body, structure, isCustom);
    const unknown = checked.unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
    if (mode === 'Strict' && unknown.length > 0)
      throw notHandled(
        kind,
        `strict decoding error: ${unknown.join(', ')}`,
        isCustom || kind.apiVersion.startsWith('cilium.io/'),
      );
    // Of a policy, the agent has the word on all but what the API itself goes by.
    const { metadata = {} } = body;
    const { mistyped } = isPolicy ? checkFields({ metadata }, structure, isCustom) : checked;
    if (mistyped.length > 0) throw notHandled(kind, mistyped[0], isCustom);
    const cleaned = isPolicy ? { ...body, metadata: checked.object['metadata'] ?? {} } : checked.object;
    const object = withDefaults(this.#given(live, cleaned, subresource), structure);
    const causes = [...(isPolicy ? [] : checked.causes), ...validate(object, live, subresource)];
    if (causes.length > 0) throw StatusError.invalid(qualified(kind), nameOf(object), causes);
    return { object: object as unknown as KubeObject, warnings: mode === 'Warn' && !isPolicy ? unknown : [] };
  }

  /** What a way of writing gives of an object. */
  #given(live: KubeObject | undefined, body: PlainObject, subresource: string): PlainObject {
    const kind = kindOf(body);
    const isSeparate = subresource === '' && this.#structures.hasSeparateStatus(kind);
    // A node is registered with its status.
    if (live === undefined) return isSeparate && kind.kind !== 'Node' ? without(body, 'status') : body;
    if (subresource === EPHEMERAL) return withEphemeral(body, live);
    const given = withLive(body, live, subresource === 'status');
    if (!isSeparate) return given;
    const { status } = live as PlainObject;
    return { ...without(given, 'status'), ...(status !== undefined && { status }) };
  }
}

const NOT_STRATEGIC =
  'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml';
const NO_MANAGER = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch';

function readObject(body: unknown): PlainObject {
  checkPlain(body, 'object');
  if (!isObject(body)) throw StatusError.badRequest('read object: found something else, wanted an object');
  if (body['metadata'] !== undefined && !isObject(body['metadata']))
    throw StatusError.badRequest('read object: found metadata that is no object');
  return body;
}

function kindOf({ apiVersion, kind }: PlainObject): Kind {
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || kind === '')
    throw StatusError.badRequest("Object 'Kind' is missing");
  return { apiVersion, kind };
}

/** A write does not make one kind of another. */
function checkKind(live: KubeObject | undefined, { apiVersion, kind }: Kind): void {
  if (live === undefined || (live.apiVersion === apiVersion && live.kind === kind)) return;
  const [found, wanted] = [`${apiVersion}, Kind=${kind}`, `${live.apiVersion}, Kind=${live.kind}`];
  throw StatusError.badRequest(`the kind in the data (${found}) does not match the expected one (${wanted})`);
}

function notHandled({ apiVersion, kind }: Kind, why: string, isCustom: boolean): StatusError {
  if (isCustom) return StatusError.badRequest(why);
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  return StatusError.badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`);
}

/** Of metadata, what the storage fills in, and what names the object. */
const FILLED = [
  ...['name', 'namespace', 'uid', 'creationTimestamp', 'generation', 'deletionTimestamp'],
  ...['deletionGracePeriodSeconds', 'selfLink'],
];

/** What the storage and other ways of writing have filled in is as it was. */
function withLive(body: PlainObject, live: PlainObject, isStatus: boolean): PlainObject {
  const before = live['metadata'] as PlainObject;
  const given = (body['metadata'] ?? {}) as PlainObject;
  if (isStatus) {
    const { resourceVersion = before['resourceVersion'] } = given;
    const { status = live['status'] } = body;
    const metadata = { ...before, ...(resourceVersion !== undefined && { resourceVersion }) };
    return { ...live, metadata, ...(status !== undefined && { status }) };
  }
  const kept = FILLED.filter((name) => before[name] !== undefined).map((name) => [name, before[name]] as const);
  return { ...body, metadata: { ...FILLED.reduce(without, given), ...Object.fromEntries(kept) } };
}

/** Of a pod, with its ephemeral containers as they are wanted and nothing else. */
function withEphemeral(body: PlainObject, live: PlainObject): PlainObject {
  const { ephemeralContainers = [] } = isObject(body['spec']) ? body['spec'] : {};
  const { metadata, ...rest } = withLive({ metadata: body['metadata'] ?? {} }, live, true);
  return { ...rest, metadata, spec: { ...(live['spec'] as PlainObject), ephemeralContainers } };
}

function qualified({ apiVersion, kind }: Kind): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? kind : `${kind}.${apiVersion.slice(0, slash)}`;
}

function nameOf({ metadata }: PlainObject): string {
  const { name, generateName } = metadata as PlainObject;
  return textOf(name ?? generateName);
}
