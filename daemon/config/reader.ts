/**
 * The reading half of config.ts: walks the YAML tree beside the option table and reports what does not fit, with the
 * place of each value. It knows nothing of what the options mean to one another.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { nearest } from '../../policy/rule/problems.ts';
import { OPTIONS, type Option } from './schema.ts';

/** Option name -> value, maps nested. */
export type Values = Record<string, unknown>;

/** Something wrong with the configuration, ready to print. */
export interface ConfigProblem {
  readonly file: string;
  /** 1-based; 0 when the value came from the command line. */
  readonly line: number;
  readonly column: number;
  /** Dotted path of the option, '' for the whole file. */
  readonly path: string;
  readonly message: string;
}

/** One reading of one text; `problems` holds what was wrong. */
export class ConfigReader {
  readonly problems: ConfigProblem[] = [];
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;
  readonly #file: string;
  readonly #places = new Map<string, Node>();

  constructor(text: string, file: string) {
    this.#file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: true });
  }

  read(overrides: Readonly<Record<string, unknown>>): Values {
    for (const error of this.#document.errors) this.#report(error.pos[0], '', firstLine(error.message));
    if (this.problems.length > 0) return {};
    const root = this.#document.contents;
    const values = root === null || (isScalar(root) && root.value === null) ? {} : this.#map(root, '', OPTIONS);
    for (const [path, value] of Object.entries(overrides)) this.#override(values, path, value);
    return withFallbacks(values, OPTIONS);
  }

  /** Line and column of the option, zeros when the file does not name it. */
  place(path: string): { line: number; column: number } {
    const node = this.#places.get(path);
    if (node?.range == null) return { line: 0, column: 0 };
    const { line, col } = this.#lines.linePos(node.range[0]);
    return { line, column: col };
  }

  #map(node: Node, path: string, options: Readonly<Record<string, Option>>): Values {
    const values: Values = {};
    if (!isMap(node)) {
      this.#wrong(node, path, 'a mapping of options');
      return values;
    }
    for (const { key, value } of node.items) {
      const name = String((key as { value?: unknown }).value ?? key);
      const at = path === '' ? name : `${path}.${name}`;
      const option = Object.hasOwn(options, name) ? options[name] : undefined;
      if (option === undefined) {
        this.#report((key as Node).range?.[0] ?? 0, at, unknownOption(name, options));
        continue;
      }
      const child = value as Node | null;
      if (child === null || (isScalar(child) && child.value === null)) continue;
      this.#places.set(at, child);
      values[name] =
        option.type === 'map' ? this.#map(child, at, option.options ?? {}) : this.#value(child, at, option);
    }
    return values;
  }

  #value(node: Node, path: string, option: Option): unknown {
    if (isAlias(node)) {
      this.#wrong(node, path, 'a value, not an alias');
      return;
    }
    const found: unknown = isSeq(node) ? node.toJSON() : isScalar(node) ? node.value : undefined;
    const wanted = wantedOf(found, option);
    if (wanted === undefined) return found;
    this.#wrong(node, path, wanted);
    return undefined;
  }

  #override(values: Values, path: string, given: unknown): void {
    const names = path.split('.');
    const last = names.pop() as string;
    let option: Option = { type: 'map', meaning: '', options: OPTIONS };
    for (const name of [...names, last]) option = option.options?.[name] ?? { type: 'map', meaning: '' };
    const value = given === null && option.type === 'string' ? '' : given; // `--set podCIDRs.ipv6=`
    const wanted = option.options === undefined && option.type === 'map' ? 'a known option' : wantedOf(value, option);
    if (wanted !== undefined) {
      const message = `wanted ${wanted}, found ${JSON.stringify(value)}`;
      this.problems.push({ file: 'command line', line: 0, column: 0, path, message });
      return;
    }
    let into = values;
    for (const name of names) into = (into[name] ??= {}) as Values;
    into[last] = value;
  }

  #wrong(node: Node, path: string, wanted: string): undefined {
    const found = isScalar(node)
      ? JSON.stringify(node.value)
      : isMap(node)
        ? 'a mapping'
        : isSeq(node)
          ? 'a list'
          : 'an alias';
    this.#report(
      node.range?.[0] ?? 0,
      path,
      `wanted ${wanted}, found ${isSeq(node) ? JSON.stringify(node.toJSON()) : found}`,
    );
    return undefined;
  }

  #report(offset: number, path: string, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.problems.push({ file: this.#file, line: Math.max(1, line), column: Math.max(1, col), path, message });
  }
}

/** What is wanted instead of `found`, or undefined when it fits the option. */
function wantedOf(found: unknown, option: Option): string | undefined {
  switch (option.type) {
    case 'boolean':
      return typeof found === 'boolean' ? undefined : 'true or false';
    case 'integer': {
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
      const fits = Number.isInteger(found) && (found as number) >= min && (found as number) <= max;
      return fits ? undefined : `a whole number from ${min} to ${max}`;
    }
    case 'string':
      return typeof found === 'string' ? textWanted(found, option) : 'a string';
    case 'list': {
      if (!Array.isArray(found)) return 'a list';
      const wrong = (found as unknown[]).find(
        (item) => typeof item !== 'string' || textWanted(item, option) !== undefined,
      );
      if (wrong === undefined) return undefined;
      return typeof wrong === 'string' ? `a list of ${textWanted(wrong, option)}` : 'a list of strings';
    }
    case 'map':
      return typeof found === 'object' && found !== null ? undefined : 'a mapping';
  }
}

function textWanted(text: string, option: Option): string | undefined {
  if (option.values !== undefined)
    return option.values.includes(text) ? undefined : `one of ${option.values.join(', ')}`;
  return text === '' ? undefined : option.check?.(text);
}

function withFallbacks(values: Values, options: Readonly<Record<string, Option>>): Values {
  const whole: Values = {};
  for (const [name, option] of Object.entries(options)) {
    const found = values[name];
    if (option.type === 'map') whole[name] = withFallbacks((found ?? {}) as Values, option.options ?? {});
    else whole[name] = found ?? option.fallback ?? '';
  }
  return whole;
}

function firstLine(message: string): string {
  return message.split('\n')[0] ?? message;
}

function unknownOption(name: string, options: Readonly<Record<string, Option>>): string {
  const near = nearest(name, Object.keys(options));
  return near === undefined ? 'unknown option' : `unknown option (did you mean "${near}"?)`;
}
