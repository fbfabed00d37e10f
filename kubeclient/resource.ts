/** What a reflector follows, and whom it tells. */

/** A resource and what of it is wanted. */
export interface Resource {
  /** `pods of this node`, in sentences. */
  readonly name: string;
  /** The first that the server has counts: `/api/v1/pods`. */
  readonly paths: readonly string[];
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** What every object has. */
export interface ApiObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
  };
}

/** Who is told, in order. */
export interface Sink {
  put(object: ApiObject): void;
  /** @param key `namespace/name`, or the name */
  remove(key: string): void;
  /** Asked after each piece of the wire: what to wait for before the next is read; undefined = nothing. */
  room(): Promise<void> | undefined;
  /** Everything that was there at the beginning has been put; the first time, and after each new list. */
  synced(): void;
  /** The server does not have the resource, or has it again. */
  absent(isAbsent: boolean): void;
  /** Why it is not up to date; '' when it is. */
  problem(sentence: string): void;
}

/** `namespace/name`, or the name alone. @throws SyntaxError for an object without one */
export function keyOf({ metadata }: ApiObject): string {
  const { name = '', namespace = '' } = metadata ?? {};
  if (typeof name !== 'string' || typeof namespace !== 'string' || name === '')
    throw new SyntaxError('found an object without a name, wanted one');
  return namespace === '' ? name : `${namespace}/${name}`;
}
