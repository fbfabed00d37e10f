/**
 * What a client wants to have: `Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json`. JSON is the only form; protobuf, which
 * clients of Kubernetes ask for first, is refused so that they come with JSON.
 */
import { StatusError } from '../storage/status-error.ts';

/** How objects are shown. */
export interface Wanted {
  readonly as: 'Object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList';
  /** Of that form; '' of objects. */
  readonly version: string;
}

/** A member of an Accept header. */
interface MediaRange {
  /** Lower case, without parameters. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const RANGES_LIMIT = 32;
const JSON_TYPES = ['application/json', 'application/*', '*/*'];
const OBJECT: Wanted = { as: 'Object', version: '' };
/** Form -> group and versions that are known. */
const FORMS: Readonly<Record<string, readonly [group: string, versions: readonly string[]]>> = {
  Table: ['meta.k8s.io', ['v1', 'v1beta1']],
  PartialObjectMetadata: ['meta.k8s.io', ['v1', 'v1beta1']],
  PartialObjectMetadataList: ['meta.k8s.io', ['v1', 'v1beta1']],
  APIGroupDiscoveryList: ['apidiscovery.k8s.io', ['v2', 'v2beta1']],
};

/** In the order of the header, those of a higher weight first; what is weighted 0 is left out. */
function acceptedRanges(header: string): MediaRange[] {
  const ranges = header.split(',').slice(0, RANGES_LIMIT).map(mediaRange);
  const weight = ({ parameters }: MediaRange): number => Number(parameters.get('q') ?? 1);
  return ranges.filter((one) => one.type !== '' && weight(one) > 0).sort((a, b) => weight(b) - weight(a));
}

/** The first of what is accepted that can be had. @throws StatusError 406 */
export function wantedForm(header: string): Wanted {
  if (header.trim() === '') return OBJECT;
  for (const { type, parameters } of acceptedRanges(header)) {
    if (!JSON_TYPES.includes(type)) continue;
    const as = parameters.get('as');
    if (as === undefined) return OBJECT;
    const version = parameters.get('v') ?? '';
    const [group, versions] = Object.hasOwn(FORMS, as) ? FORMS[as] : [];
    if (group === parameters.get('g') && versions?.includes(version) === true) return { as, version } as Wanted;
  }
  throw StatusError.notAcceptable(
    'only the following media types are accepted: application/json, also as Table or PartialObjectMetadata',
  );
}

/** The media type of a Content-Type, without parameters; JSON when there is none. */
export function contentTypeOf(header: string | undefined): string {
  return mediaRange(header ?? '').type || 'application/json';
}

function mediaRange(text: string): MediaRange {
  const [type, ...rest] = text.split(';').map((part) => part.trim());
  const pairs = rest.map((part): [string, string] => {
    const equals = part.indexOf('=');
    return equals < 0 ? [part, ''] : [part.slice(0, equals).trim(), part.slice(equals + 1).trim()];
  });
  return { type: type.toLowerCase(), parameters: new Map(pairs) };
}
