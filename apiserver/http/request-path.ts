/** What the path of a request names: `/apis/apps/v1/namespaces/shop/deployments/web/scale`. */
import { StatusError } from '../storage/status-error.ts';

/** `/api`, `/apis`, `/apis/apps`, `/apis/apps/v1`. */
export interface DiscoveryPath {
  readonly what: 'discovery';
  readonly isCore: boolean;
  /** '' of the list of groups, and of the core. */
  readonly group: string;
  /** '' of a group, or of the list of groups. */
  readonly version: string;
}

export interface ResourcePath {
  readonly what: 'resource';
  readonly group: string;
  readonly version: string;
  /** '' of what belongs to none, and of all of them. */
  readonly namespace: string;
  readonly plural: string;
  /** '' of all. */
  readonly name: string;
  readonly subresource: string;
}

/** Longer names than any object may have. */
const SEGMENT_LIMIT = 512;
/** Of a namespace itself, and not resources in it. */
const NAMESPACE_SUBRESOURCES = ['status', 'finalize'];

/** @returns undefined for a path that is none of the API's @throws StatusError 400 */
export function parsePath(path: string): DiscoveryPath | ResourcePath | undefined {
  const segments = path.split('/').slice(1).map(decoded);
  if (segments.at(-1) === '') segments.pop();
  const [root, ...rest] = segments;
  if (root === 'api') {
    const [version = '', ...more] = rest;
    return more.length === 0 ? discovery(true, '', version) : resourcePath('', version, more);
  }
  if (root !== 'apis') return undefined;
  const [group = '', version = '', ...more] = rest;
  return more.length === 0 ? discovery(false, group, version) : resourcePath(group, version, more);
}

function discovery(isCore: boolean, group: string, version: string): DiscoveryPath {
  return { what: 'discovery', isCore, group, version };
}

function resourcePath(group: string, version: string, segments: readonly string[]): ResourcePath | undefined {
  const [first, second = '', third = ''] = segments;
  const isInside = first === 'namespaces' && third !== '' && !NAMESPACE_SUBRESOURCES.includes(third);
  const [plural, name = '', subresource = '', ...more] = isInside ? segments.slice(2) : segments;
  if (more.length > 0) return undefined;
  return { what: 'resource', group, version, namespace: isInside ? second : '', plural, name, subresource };
}

function decoded(segment: string): string {
  let text = segment;
  try {
    text = decodeURIComponent(segment);
  } catch {
    throw StatusError.badRequest('read path: found a segment that is not percent-encoded UTF-8');
  }
  if (text.length <= SEGMENT_LIMIT && !/[/\0]/.test(text) && text !== '.' && text !== '..') return text;
  throw StatusError.badRequest(`read path: found the segment ${JSON.stringify(text.slice(0, 64))}, wanted a name`);
}
