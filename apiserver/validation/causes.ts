/** The faults of one object, in Kubernetes' words: each a field, a reason that programs go by, and a message. */
import { isEqual, type Plain } from '../patch/plain.ts';
import type { StatusCause } from '../storage/status-error.ts';

/** Causes that are told of one object. */
const MAX_CAUSES = 30;

export class Causes {
  readonly all: StatusCause[] = [];

  invalid(field: string, value: unknown, why: string): void {
    this.#add(field, 'FieldValueInvalid', `Invalid value: ${shown(value)}: ${why}`);
  }

  required(field: string, why = ''): void {
    this.#add(field, 'FieldValueRequired', why === '' ? 'Required value' : `Required value: ${why}`);
  }

  duplicate(field: string, value: unknown): void {
    this.#add(field, 'FieldValueDuplicate', `Duplicate value: ${shown(value)}`);
  }

  notFound(field: string, value: unknown): void {
    this.#add(field, 'FieldValueNotFound', `Not found: ${shown(value)}`);
  }

  notSupported(field: string, value: unknown, words: readonly string[]): void {
    const wanted = words.map((word) => JSON.stringify(word)).join(', ');
    this.#add(field, 'FieldValueNotSupported', `Unsupported value: ${shown(value)}: supported values: ${wanted}`);
  }

  forbidden(field: string, why: string): void {
    this.#add(field, 'FieldValueForbidden', `Forbidden: ${why}`);
  }

  /** What may not change once it is written. */
  immutable(field: string, before: unknown, after: unknown): void {
    if (!isEqual(before, after)) this.invalid(field, after ?? null, 'field is immutable');
  }

  /** A number out of bounds; one that is not there is none. */
  between(field: string, value: Plain | undefined, least: number, most: number): void {
    if (typeof value === 'number' && (value < least || value > most))
      this.invalid(field, value, `must be between ${least} and ${most}, inclusive`);
  }

  port(field: string, value: Plain | undefined, least = 1): void {
    this.between(field, value, least, 65_535);
  }

  notNegative(field: string, value: Plain | undefined): void {
    if (typeof value === 'number' && value < 0) this.invalid(field, value, 'must be greater than or equal to 0');
  }

  #add(field: string, reason: string, message: string): void {
    if (this.all.length < MAX_CAUSES) this.all.push({ field, reason, message });
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
