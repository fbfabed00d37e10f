/**
 * The reading half of config.ts: turns the option table into a shape, reads the file and the command line as that shape, and
 * asks each option's own check. It knows nothing of what the options mean to one another.
 */
import { Document as YamlDocument, LineCounter } from 'yaml';
import { Reader } from '../../policy/document/reader.ts';
import {
  boolean,
  integer,
  list,
  map,
  object,
  type ObjectShape,
  type Shape,
  strictString,
} from '../../policy/document/shape.ts';
import { readYaml } from '../../policy/document/yaml.ts';
import { type Problem, quote } from '../../policy/rule/problems.ts';
import type { Option } from './option.ts';
import { OPTIONS } from './schema.ts';

/** Option name -> value, maps nested. */
export type Values = Record<string, unknown>;

type Options = Readonly<Record<string, Option>>;

/** One reading of one text and of what the command line says; `problems` holds what was wrong with either. */
export class ConfigReader {
  readonly problems: Problem[] = [];
  readonly #file: Reader;
  readonly #fileValues: unknown;

  constructor(text: string, file: string) {
    const { value, reader } = readYaml(text, file, SHAPE);
    checkValues(value, OPTIONS, reader);
    this.#file = reader;
    this.#fileValues = value;
    this.problems.push(...reader.problems);
  }

  /** Every option: what `overrides` says (dotted option path -> value), else what the file says, else the default. */
  read(overrides: Readonly<Record<string, unknown>>): Values {
    const reader = new Reader(new YamlDocument(nested(overrides)), new LineCounter(), COMMAND_LINE);
    const given = reader.read(reader.root, SHAPE, '');
    checkValues(given, OPTIONS, reader);
    this.problems.push(...reader.problems.map((problem) => ({ ...problem, line: 0, column: 0 })));
    return choose([given, this.#fileValues], OPTIONS);
  }

  /** Reports what is wrong with an option in the light of others. */
  problem(path: string, message: string): void {
    const before = this.#file.problems.length;
    this.#file.problem(path, 'option', `read ${path}: ${message}`);
    this.problems.push(...this.#file.problems.slice(before));
  }
}

const COMMAND_LINE = 'command line';
const SHAPE = shapeOf(OPTIONS);

function shapeOf(options: Options): ObjectShape {
  return object(Object.fromEntries(Object.entries(options).map(([name, option]) => [name, optionShape(option)])));
}

function optionShape(option: Option): Shape {
  switch (option.type) {
    case 'boolean':
      return boolean;
    case 'integer':
      return integer(option.min ?? 0, option.max ?? Number.MAX_SAFE_INTEGER);
    case 'string':
      return textShape(option);
    case 'list':
      return list(textShape(option));
    case 'commands':
      return map(list(strictString));
    case 'map':
      return shapeOf(option.options ?? {});
  }
}

function textShape({ values }: Option): Shape {
  return { kind: 'string', strict: true, ...(values !== undefined && { oneOf: values }) };
}

/** What a shape cannot say of a text, its option's `check` says. */
function checkValues(values: unknown, options: Options, reader: Reader, prefix = ''): void {
  for (const [name, value] of Object.entries((values ?? {}) as Values)) {
    const path = prefix + name;
    const { check, max, options: inner } = options[name];
    if (Array.isArray(value) && max !== undefined && value.length > max)
      reader.problem(path, 'option', `read ${path}: found ${value.length}, wanted at most ${max}`);
    if (inner !== undefined) checkValues(value, inner, reader, `${path}.`);
    else if (check !== undefined && Array.isArray(value))
      value.forEach((text: string, i) => checkText(text, check, reader, `${path}[${i}]`));
    else if (check !== undefined) checkText(value as string, check, reader, path);
  }
}

/** An empty text stands for "none" in every option. */
function checkText(text: string, check: NonNullable<Option['check']>, reader: Reader, path: string): void {
  const wanted = text === '' ? undefined : check(text);
  if (wanted !== undefined) reader.problem(path, 'option', `read ${path}: found ${quote(text)}, wanted ${wanted}`);
}

/** `{ 'a.b': 1 }` as maps in maps. `--set podCIDRs.ipv6=` gives null, and means the empty text. */
function nested(overrides: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const root = new Map<string, unknown>();
  for (const [path, value] of Object.entries(overrides)) {
    const names = path.split('.');
    let map = root;
    for (const name of names.slice(0, -1)) {
      const known = map.get(name);
      const inner = known instanceof Map ? (known as Map<string, unknown>) : new Map<string, unknown>();
      map.set(name, inner);
      map = inner;
    }
    map.set(names[names.length - 1], value ?? '');
  }
  return root;
}

/** Of each option the value that the first of `sources` has, else its default. */
function choose(sources: readonly unknown[], options: Options): Values {
  const maps = sources.map((source) => (source ?? {}) as Values);
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => {
      const found = maps.map((map) => map[name]).filter((value) => value !== undefined);
      return [name, option.type === 'map' ? choose(found, option.options ?? {}) : (found[0] ?? option.fallback ?? '')];
    }),
  );
}
