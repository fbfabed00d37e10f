/** The messages of Kubernetes' protobuf by name, read from the table (fields.ts) when they are first asked for. */
import { PROTOBUF_FIELDS } from './fields.ts';

export type FieldType =
  /** A letter of the table. */
  | { readonly what: 'value'; readonly letter: string }
  | { readonly what: 'message'; readonly name: string }
  /** Within a message of its own, or not. */
  | { readonly what: 'list'; readonly of: FieldType; readonly isWrapped: boolean }
  | { readonly what: 'map'; readonly of: FieldType };

export interface Field {
  /** '' of a message whose fields are the outer one's. */
  readonly name: string;
  readonly type: FieldType;
  /** What is nothing (0, false, '', {}) is told nevertheless. */
  readonly isPointer: boolean;
}

type Message = ReadonlyMap<number, Field>;

const LINES = new Map(
  PROTOBUF_FIELDS.trim()
    .split('\n')
    .map((line): [string, string] => [line.slice(0, line.indexOf('|')), line.slice(line.indexOf('|') + 1)]),
);
const read = new Map<string, Message>();

/** Undefined when there is no such message. */
export function messageOf(name: string): Message | undefined {
  const known = read.get(name);
  if (known !== undefined) return known;
  const line = LINES.get(name);
  if (line === undefined) return undefined;
  const fields = line === '' ? [] : line.split('|').map(fieldOf);
  const message = new Map(fields);
  read.set(name, message);
  return message;
}

/** The message of a kind. */
export function messageNameOf(apiVersion: string, kind: string): string {
  if (kind === 'DeleteOptions') return 'meta.v1.DeleteOptions';
  const [group, version = group] = apiVersion.split('/');
  const name = apiVersion.includes('/') ? group.replace(/^(\w+)\..*$/, '$1') : 'core';
  return `${name}.${version}.${kind}`;
}

function fieldOf(text: string): [number, Field] {
  const [number, name, type] = text.split(' ');
  const isPointer = type.endsWith('?');
  return [Number(number), { name, type: typeOf(isPointer ? type.slice(0, -1) : type), isPointer }];
}

function typeOf(text: string): FieldType {
  const inner = (): FieldType => typeOf(text.slice(1, -1));
  if (text.startsWith('[')) return { what: 'list', of: inner(), isWrapped: false };
  if (text.startsWith('(')) return { what: 'list', of: inner(), isWrapped: true };
  if (text.startsWith('{')) return { what: 'map', of: inner() };
  return text.length === 1 ? { what: 'value', letter: text } : { what: 'message', name: text };
}
