/** One request about a resource, and what it is answered. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Resource } from '../resources/resource.ts';
import type { Wanted } from './media-types.ts';
import type { ResourcePath } from './request-path.ts';

/** Who asks, as the client's certificate says: CN, and each O. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

export interface Call {
  readonly request: IncomingMessage;
  readonly method: string;
  readonly path: ResourcePath;
  readonly resource: Resource;
  readonly query: URLSearchParams;
  readonly wanted: Wanted;
  readonly user: User;
  /** Told to the client in `Warning` headers. */
  readonly warnings: string[];
}

/** A document, or a function that writes an answer by itself; it is called once, and does not throw. */
export type Answer =
  | { readonly status?: number; readonly document: object }
  | { readonly stream: (response: ServerResponse) => void };

/** `true` and `1` as Go reads them. */
export function isSet(query: URLSearchParams, name: string): boolean {
  return ['true', '1', 't', 'T', 'TRUE', 'True'].includes(query.get(name) ?? '');
}
