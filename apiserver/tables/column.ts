/** A column of a table, and what most kinds have in common. */
import type { KubeObject } from '../storage/kube-object.ts';
import { ageOf } from './age.ts';

export type Cell = string | number | boolean | null;

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  /** `name`: the column that names the object. */
  readonly format?: 'name' | '';
  readonly description?: string;
  /** Shown only with `-o wide`. */
  readonly isWide?: boolean;
  /** @throws TypeError for an object that is not of the shape of its kind */
  readonly cell: (object: KubeObject, nowMs: number) => Cell;
}

export const NAME: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, the only one of its kind in its namespace.',
  cell: ({ metadata }) => metadata.name,
};

export const AGE: Column = {
  name: 'Age',
  type: 'string',
  description: 'How long ago the object was made.',
  cell: ({ metadata }, nowMs) => ageOf(metadata.creationTimestamp, nowMs),
};

/** A column of texts. */
export function text(name: string, cell: Column['cell'], description = ''): Column {
  return { name, type: 'string', description, cell };
}

/** A column of whole numbers; what an object does not tell is 0. */
export function count(name: string, cell: (object: KubeObject) => unknown, description = ''): Column {
  return { name, type: 'integer', description, cell: (object) => (cell(object) as number | undefined) ?? 0 };
}

/** The columns, shown only with `-o wide`. */
export function wide(...columns: readonly Column[]): Column[] {
  return columns.map((column) => ({ ...column, isWide: true }));
}

/** What an object tells beneath `field`, of the shape that its kind has; nothing when it tells nothing. */
export function fieldsOf<T extends object>(object: KubeObject, field: 'spec' | 'status'): Partial<T> {
  return (object[field] ?? {}) as Partial<T>;
}
