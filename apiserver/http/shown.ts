/** Objects as a client wants to see them: in the version of its path, whole, as rows of a table, or only their metadata. */
import { DEFINITIONS } from '../resources/custom-resource.ts';
import { apiVersionOf } from '../resources/resource.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import type { Storage } from '../storage/storage.ts';
import type { PrinterColumn } from '../tables/printer-columns.ts';
import { type TableKind, tableOf } from '../tables/table.ts';
import type { Call } from './call.ts';
import { eventOfGroup, EVENTS_GROUP } from './event-forms.ts';

const META = 'meta.k8s.io';
const INCLUDED = ['None', 'Metadata', 'Object'] as const;

type ObjectsOf = Pick<Call, 'path' | 'resource'>;

/** An object in the version of the path. */
function inVersion({ path, resource }: ObjectsOf, object: KubeObject): KubeObject {
  if (path.group === EVENTS_GROUP) return eventOfGroup(object);
  const apiVersion = apiVersionOf(resource, path.version);
  const { kind } = resource;
  return object.apiVersion === apiVersion && object.kind === kind ? object : { ...object, apiVersion, kind };
}

/** One object, as the client wants it. */
export function shown(call: Call, object: KubeObject, storage: Storage): object {
  if (call.wanted.as === 'Object') return inVersion(call, object);
  if (call.wanted.as === 'Table') {
    const { resourceVersion } = object.metadata;
    return table(call, [object], { metadata: { resourceVersion }, hasHeaders: true }, storage);
  }
  return partial(call, object);
}

/** The columns of the first event stand for those after it. */
export function shownEvent(call: Call, object: KubeObject, isFirst: boolean, storage: Storage): object {
  if (call.wanted.as !== 'Table') return shown(call, object, storage);
  const { resourceVersion } = object.metadata;
  return table(call, [object], { metadata: { resourceVersion }, hasHeaders: isFirst }, storage);
}

/** A list as a table. @param metadata of the list */
export function shownTable(call: Call, objects: readonly KubeObject[], metadata: object, storage: Storage): object {
  return table(call, objects, { metadata, hasHeaders: true }, storage);
}

/** An item of a list. */
export function shownItem(call: Call, object: KubeObject): object {
  return call.wanted.as === 'Object' ? inVersion(call, object) : partial(call, object);
}

/** apiVersion and kind of a list. */
export function listKind({ path, resource, wanted }: Call): { readonly kind: string; readonly apiVersion: string } {
  if (wanted.as !== 'Object') return { kind: 'PartialObjectMetadataList', apiVersion: `${META}/${wanted.version}` };
  return { kind: resource.listKind, apiVersion: apiVersionOf(resource, path.version) };
}

function partial({ wanted }: Call, { metadata }: KubeObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `${META}/${wanted.version}`, metadata };
}

function table(
  call: Call,
  objects: readonly KubeObject[],
  head: { readonly metadata: object; readonly hasHeaders: boolean },
  storage: Storage,
): object {
  const asked = call.query.get('includeObject') ?? '';
  const includeObject = INCLUDED.find((one) => one === asked) ?? 'Metadata';
  const { version } = call.wanted;
  // Columns of events are made of the core's form.
  const rows = call.path.group === EVENTS_GROUP ? objects : objects.map((one) => inVersion(call, one));
  return tableOf(tableKind(call, storage), rows, { version, includeObject, ...head, nowMs: Date.now() });
}

interface DefinitionColumns {
  readonly versions?: readonly {
    readonly name: string;
    readonly additionalPrinterColumns?: readonly PrinterColumn[];
  }[];
}

function tableKind({ path, resource }: Call, storage: Storage): TableKind {
  const kind = { apiVersion: apiVersionOf(resource, path.version), kind: resource.kind };
  const definition = resource.isCustom ? storage.get(DEFINITIONS, '', resource.name) : undefined;
  if (definition === undefined || storage.isMirrored(DEFINITIONS, '', resource.name)) return kind;
  const { versions = [] } = definition['spec'] as DefinitionColumns;
  return {
    ...kind,
    printerColumns: versions.find(({ name }) => name === path.version)?.additionalPrinterColumns ?? [],
  };
}
