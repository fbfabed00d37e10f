/** What a question says, checked: bodies come from browsers, and are foreign data. */
import type { Named } from '../../explain/overlay.ts';

/** A question as an object of JSON. */
export class Asked {
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @throws SyntaxError for what is no object of JSON, or has a member that is not `known` */
  constructor(body: string, known: readonly string[]) {
    const value = JSON.parse(body) as unknown;
    if (!isObject(value)) throw new SyntaxError(`read question: found ${shown(value)}, wanted an object`);
    const unknown = Object.keys(value).find((key) => !known.includes(key));
    if (unknown !== undefined)
      throw new SyntaxError(`read question: found '${unknown.slice(0, 60)}', wanted one of ${known.join(', ')}`);
    this.#fields = value;
  }

  value(name: string): unknown {
    return this.#fields[name] ?? undefined;
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    return value === undefined || typeof value === 'string' ? value : wrong(name, value, 'a text');
  }

  flag(name: string): boolean {
    const value = this.value(name);
    return value === undefined || typeof value === 'boolean' ? value === true : wrong(name, value, 'true or false');
  }

  texts(name: string): readonly string[] | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const isList = Array.isArray(value) && value.every((one): one is string => typeof one === 'string');
    return isList ? value : wrong(name, value, 'a list of texts');
  }

  /** @param choices the first of which is meant when nothing is said */
  word<const Word extends string>(name: string, choices: readonly [Word, ...Word[]]): Word {
    const value = this.value(name);
    if (value === undefined) return choices[0];
    return choices.find((one) => one === value) ?? wrong(name, value, choices.join(', '));
  }

  names(name: string): readonly Named[] {
    const value = this.value(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) return wrong(name, value, 'a list of {"kind","namespace","name"}');
    return value.map((one: unknown) => {
      const { kind, namespace = '', name: own } = isObject(one) ? one : {};
      const areTexts = [kind, namespace, own].every((text) => typeof text === 'string');
      return areTexts ? ({ kind, namespace, name: own } as Named) : wrong(name, one, '{"kind","namespace","name"}');
    });
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(name: string, found: unknown, wanted: string): never {
  throw new SyntaxError(`read question: ${name}: found ${shown(found)}, wanted ${wanted}`);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}
