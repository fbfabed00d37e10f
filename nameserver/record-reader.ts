/** One object of JSON, read member by member: each must be there and of its form, and at the end none may be left. */

import { parseIp } from '../wire/address.ts';

/** A label as the API server takes it for services and namespaces (RFC 1123): 1 to 63 of a-z, 0-9 and inner dashes. */
export function isDnsLabel(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

/** Labels with dots between, underscores allowed: up to 253 characters, lower case, no final dot. */
export function isDomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label));
}

/** IPv4 or IPv6. */
export function isAddress(text: string): boolean {
  return parseIp(text, [0, 0, 0, 0]) !== 0;
}

export class RecordReader {
  readonly #where: string;
  readonly #members: Map<string, unknown>;

  constructor(where: string, value: unknown) {
    this.#where = where;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#error('', value, 'an object');
    this.#members = new Map(Object.entries(value));
  }

  /** @throws SyntaxError also for what is no JSON */
  static ofJson(where: string, text: string): RecordReader {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new SyntaxError(`${where}: ${(error as Error).message}`);
    }
    return new RecordReader(where, value);
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  isText(name: string): boolean {
    return typeof this.#members.get(name) === 'string';
  }

  text(name: string, isValid: (text: string) => boolean, wanted: string): string {
    const value = this.#take(name);
    if (typeof value !== 'string' || !isValid(value)) throw this.#error(name, value, wanted);
    return value;
  }

  integer(name: string, least: number, most: number): number {
    const value = this.#take(name);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      throw this.#error(name, value, `${least} to ${most}`);
    return value;
  }

  oneOf<T extends string | number>(name: string, choices: readonly T[]): T {
    const value = this.#take(name);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.#error(name, value, choices.join(' or '));
    return found;
  }

  texts(name: string, most: number, isValid: (text: string) => boolean, wanted: string): string[] {
    return this.#array(name, most).map((value, index) => {
      if (typeof value !== 'string' || !isValid(value)) throw this.#error(`${name}[${index}]`, value, wanted);
      return value;
    });
  }

  list<T>(name: string, most: number, read: (record: RecordReader) => T): T[] {
    const values = this.#array(name, most);
    return values.map((value, index) => read(new RecordReader(`${this.#where}: ${name}[${index}]`, value)));
  }

  /** @throws SyntaxError when a member was not asked for */
  finish(): void {
    for (const [name, value] of this.#members) throw this.#error(name, value, 'no such member');
  }

  #array(name: string, most: number): unknown[] {
    const value = this.#take(name);
    if (!Array.isArray(value)) throw this.#error(name, value, 'a list');
    if (value.length > most) throw this.#error(name, value.length, `at most ${most}`);
    return value;
  }

  #take(name: string): unknown {
    const value = this.#members.get(name);
    this.#members.delete(name);
    return value;
  }

  #error(name: string, found: unknown, wanted: string): SyntaxError {
    const shown = found === undefined ? 'nothing' : JSON.stringify(found).slice(0, 80);
    return new SyntaxError(`${this.#where}${name === '' ? '' : `: ${name}`}: found ${shown}, wanted ${wanted}`);
  }
}
