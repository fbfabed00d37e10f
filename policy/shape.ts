/**
 * Shapes: what a document may contain, and the one walker that reads a YAML tree against them.
 *
 * The walker turns nodes into plain values and reports, with exact positions, every field that is unknown, missing or
 * of the wrong type. It never stops at the first problem. What a shape cannot say (one of these two, a range inside
 * another) is checked afterwards on the plain value, in validate-*.ts, which reports by path through `Reader.problem`.
 *
 * Forgiveness: tutorials write `port: 80` and `- "X-Name": "value"` where Kubernetes wants strings. Both are read as
 * what they mean, with a warning. A null field is an absent field, as in Kubernetes.
 */
import {
  type Document as YamlDocument,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
} from 'yaml';
import { nearest, type Problem, quote, type Severity } from './problems.ts';

export type Shape =
  | { readonly kind: 'string'; readonly oneOf?: readonly string[]; readonly pair?: boolean }
  | { readonly kind: 'integer'; readonly min?: number; readonly max?: number; readonly orString?: boolean }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'any' }
  | { readonly kind: 'list'; readonly of: Shape }
  | { readonly kind: 'map'; readonly of: Shape }
  | ObjectShape;

export interface ObjectShape {
  readonly kind: 'object';
  readonly fields: Readonly<Record<string, Shape>>;
  readonly required: readonly string[];
  /** Unknown fields are kept as they are instead of being refused. */
  readonly open: boolean;
}

export const string: Shape = { kind: 'string' };
export const boolean: Shape = { kind: 'boolean' };
export const any: Shape = { kind: 'any' };
export const integer = (min?: number, max?: number): Shape => ({
  kind: 'integer',
  ...(min !== undefined && { min }),
  ...(max !== undefined && { max }),
});
export const integerOrString: Shape = { kind: 'integer', orString: true };
/** A string that may be written as a map of one pair: `- "Name": "value"` reads as `Name: value`. */
export const stringOrPair: Shape = { kind: 'string', pair: true };
export const oneOf = (...values: string[]): Shape => ({ kind: 'string', oneOf: values });
export const list = (of: Shape): Shape => ({ kind: 'list', of });
export const map = (of: Shape): Shape => ({ kind: 'map', of });
export const object = (fields: Record<string, Shape>, required: string[] = []): ObjectShape => ({
  kind: 'object',
  fields,
  required,
  open: false,
});
export const openObject = (fields: Record<string, Shape>, required: string[] = []): ObjectShape => ({
  ...object(fields, required),
  open: true,
});

/** Nodes read per document at most: an alias bomb is a problem, not a hang. */
const MAX_NODES = 500_000;
const MAX_DEPTH = 64;

export class Reader {
  readonly problems: Problem[] = [];
  /** `Kind/namespace/name`, once known; goes into problems. */
  documentName: string | undefined;
  private readonly offsets = new Map<string, number>();
  private readonly parents: ObjectShape[] = [];
  private nodes = 0;
  private depth = 0;

  private readonly document: YamlDocument;
  private readonly lines: LineCounter;
  private readonly file: string;

  constructor(document: YamlDocument, lines: LineCounter, file: string) {
    this.document = document;
    this.lines = lines;
    this.file = file;
  }

  /** Reads `node` as `shape`; undefined when absent, null or wrong (then a problem was reported). */
  read(node: unknown, shape: Shape, path: string): unknown {
    const target = isAlias(node) ? node.resolve(this.document) : node;
    if (target === null || target === undefined) return undefined;
    this.offsets.set(path, (node as Node).range?.[0] ?? 0);
    if (isScalar(target) && target.value === null) return undefined;
    if (++this.nodes > MAX_NODES || this.depth >= MAX_DEPTH) {
      if (this.nodes === MAX_NODES + 1 || this.depth >= MAX_DEPTH) {
        this.problem(
          path,
          'too-large',
          `read document: found more than ${MAX_NODES} values or ${MAX_DEPTH} levels, wanted fewer`,
        );
      }
      return undefined;
    }
    this.depth++;
    const value = this.readAs(target as Node, shape, path);
    this.depth--;
    return value;
  }

  private readAs(node: Node, shape: Shape, path: string): unknown {
    switch (shape.kind) {
      case 'any':
        return this.readAny(node, path);
      case 'string':
        return this.readString(node, shape, path);
      case 'integer':
        return this.readInteger(node, shape, path);
      case 'boolean':
        return isScalar(node) && typeof node.value === 'boolean'
          ? node.value
          : this.wrongType(node, path, 'true or false');
      case 'list':
        if (!isSeq(node)) return this.wrongType(node, path, 'a list');
        return node.items
          .map((item, i) => this.read(item, shape.of, `${path}[${i}]`))
          .filter((item) => item !== undefined);
      case 'map':
        return this.readMap(node, shape.of, path);
      case 'object':
        return this.readObject(node, shape, path);
    }
  }

  private readAny(node: Node, path: string): unknown {
    if (isMap(node)) return this.readMap(node, any, path);
    if (isSeq(node)) return node.items.map((item, i) => this.read(item, any, `${path}[${i}]`) ?? null);
    return isScalar(node) ? node.value : undefined;
  }

  private readString(node: Node, shape: Shape & { kind: 'string' }, path: string): string | undefined {
    const text = this.stringOf(node, shape.pair === true, path);
    if (text === undefined || shape.oneOf === undefined || shape.oneOf.includes(text)) return text;
    const near = shape.oneOf.find((value) => value.toLowerCase() === text.toLowerCase()) ?? nearest(text, shape.oneOf);
    this.problem(
      path,
      'unknown-value',
      `read ${lastName(path)}: found ${quote(text)}, wanted one of ${shape.oneOf.join(', ')}`,
      {
        ...(near !== undefined && { hint: `did you mean ${quote(near)}?` }),
      },
    );
    return undefined;
  }

  private stringOf(node: Node, pair: boolean, path: string): string | undefined {
    if (isScalar(node)) {
      if (typeof node.value === 'string') return node.value;
      const text = node.source ?? String(node.value);
      const found = typeof node.value === 'boolean' ? `the boolean ${text}` : `the number ${text}`;
      this.problem(path, 'unquoted', `read ${lastName(path)}: found ${found}, wanted a string`, {
        severity: 'warning',
        hint: `taken as ${quote(text)}; write it in quotes`,
      });
      return text;
    }
    if (pair && isMap(node) && node.items.length === 1) {
      const { key, value } = node.items[0] as Pair<Node, Node>;
      if (isScalar(key) && isScalar(value)) {
        const text = `${key.value}: ${value.value}`;
        this.problem(path, 'pair-for-string', `read ${lastName(path)}: found a map, wanted a string`, {
          severity: 'warning',
          hint: `taken as ${quote(text)}; put the quotes around the whole of it`,
        });
        return text;
      }
    }
    return this.wrongType(node, path, 'a string');
  }

  private readInteger(node: Node, shape: Shape & { kind: 'integer' }, path: string): number | string | undefined {
    const value = isScalar(node) ? node.value : undefined;
    if (shape.orString && typeof value === 'string') return value;
    const wanted = shape.min === undefined ? 'an integer' : `an integer from ${shape.min} to ${shape.max}`;
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      const hint = typeof value === 'string' && /^\d+$/.test(value) ? `write ${value} without quotes` : undefined;
      return this.wrongType(node, path, wanted, hint);
    }
    if ((shape.min !== undefined && value < shape.min) || (shape.max !== undefined && value > shape.max)) {
      this.problem(path, 'out-of-range', `read ${lastName(path)}: found ${value}, wanted ${wanted}`);
      return undefined;
    }
    return value;
  }

  private readMap(node: Node, of: Shape, path: string): Record<string, unknown> | undefined {
    if (!isMap(node)) return this.wrongType(node, path, 'a map');
    const value: Record<string, unknown> = Object.create(null);
    for (const [key, item] of this.pairs(node, path)) {
      const read = this.read(item, of, joinPath(path, key));
      // A label without a value (`role:`) is an empty string, not an absent label.
      if (read !== undefined) value[key] = read;
      else if (of.kind === 'string' && isNull(item)) value[key] = '';
    }
    return { ...value };
  }

  private readObject(node: Node, shape: ObjectShape, path: string): Record<string, unknown> | undefined {
    if (!isMap(node)) return this.wrongType(node, path, 'a map');
    this.parents.push(shape);
    const value: Record<string, unknown> = {};
    for (const [key, item] of this.pairs(node, path)) {
      const field = Object.hasOwn(shape.fields, key) ? shape.fields[key] : shape.open ? any : undefined;
      const place = joinPath(path, key);
      if (field === undefined) {
        this.offsets.set(place, this.keyOffset(node, key));
        this.unknownField(shape, key, place);
        continue;
      }
      const read = this.read(item, field, place);
      if (read !== undefined) value[key] = read;
    }
    this.parents.pop();
    for (const name of shape.required) {
      if (value[name] !== undefined || this.hasProblemAt(joinPath(path, name))) continue;
      this.problem(path, 'missing-field', `read ${lastName(path) || 'document'}: found no ${name}, wanted one`);
    }
    return value;
  }

  /** Keys and values of a map, `<<` merged in. */
  private *pairs(node: Node, path: string): Generator<[string, Node | null]> {
    if (!isMap(node)) return;
    const own = new Set(node.items.map((pair) => keyText(pair)));
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const key = keyText(pair);
      if (key !== '<<') {
        yield [key, pair.value];
        continue;
      }
      const merged = isAlias(pair.value) ? pair.value.resolve(this.document) : pair.value;
      for (const source of isSeq(merged) ? merged.items : [merged]) {
        const target = isAlias(source) ? source.resolve(this.document) : source;
        for (const inner of this.pairs(target as Node, path)) if (!own.has(inner[0])) yield inner;
      }
    }
  }

  private keyOffset(node: Node, key: string): number {
    if (!isMap(node)) return 0;
    const pair = (node.items as Pair<Node>[]).find((candidate) => keyText(candidate) === key);
    return pair?.key?.range?.[0] ?? node.range?.[0] ?? 0;
  }

  private unknownField(shape: ObjectShape, key: string, path: string): void {
    const known = Object.keys(shape.fields);
    const near = nearest(key, known);
    const place = near === undefined ? this.placeOf(shape, key) : undefined;
    const hint =
      near !== undefined
        ? `did you mean ${quote(near)}?`
        : (place ?? `known fields here: ${known.slice(0, 20).join(', ')}`);
    this.problem(
      path,
      'unknown-field',
      `read ${parentName(path)}: found unknown field ${quote(key)}, wanted a known one`,
      { hint },
    );
  }

  /** Where the field would be right: deeper from here first, then from each enclosing object. */
  private placeOf(shape: ObjectShape, key: string): string | undefined {
    const below = pathTo(shape, key);
    if (below !== undefined) return `${key} belongs inside ${below}`;
    for (let i = this.parents.length - 1; i >= 0; i--) {
      if (Object.hasOwn(this.parents[i].fields, key))
        return `${key} belongs ${this.parents.length - 1 - i} level(s) further out`;
      const across = pathTo(this.parents[i], key);
      if (across !== undefined) return `${key} belongs inside ${across}`;
    }
    return undefined;
  }

  private wrongType(node: Node, path: string, wanted: string, hint?: string): undefined {
    this.problem(
      path,
      'wrong-type',
      `read ${lastName(path) || 'document'}: found ${describe(node)}, wanted ${wanted}`,
      {
        ...(hint !== undefined && { hint }),
      },
    );
    return undefined;
  }

  /** Reports at `path`, or at the nearest ancestor that was written. */
  problem(path: string, code: string, message: string, more: { severity?: Severity; hint?: string } = {}): void {
    const { line, column } = this.position(path);
    this.problems.push({
      file: this.file,
      line,
      column,
      path,
      severity: more.severity ?? 'error',
      message,
      code,
      ...(more.hint !== undefined && { hint: more.hint }),
      ...(this.documentName !== undefined && { document: this.documentName }),
    });
  }

  /** Line and column of a path; of its nearest written ancestor when it was not written itself. */
  position(path: string): { line: number; column: number } {
    for (let place = path; ; place = parentPath(place)) {
      const offset = this.offsets.get(place);
      if (offset !== undefined || place === '') {
        const { line, col } = this.lines.linePos(offset ?? 0);
        return { line: Math.max(1, line), column: Math.max(1, col) };
      }
    }
  }

  private hasProblemAt(path: string): boolean {
    return this.problems.some((problem) => problem.path === path || problem.path.startsWith(`${path}.`));
  }
}

export function joinPath(path: string, key: string): string {
  const step = /^[A-Za-z_][\w-]*$/.test(key) ? key : `[${JSON.stringify(key)}]`;
  return path === '' || step.startsWith('[') ? path + step : `${path}.${step}`;
}

function parentPath(path: string): string {
  const match = /^(.*?)(\.[\w-]+|\[\d+\]|\["(?:[^"\\]|\\.)*"\]|^[\w-]+)$/s.exec(path);
  return match === null ? '' : match[1];
}

function lastName(path: string): string {
  const match = /([A-Za-z_][\w-]*)(\[[^\]]*\])*$/.exec(path);
  return match === null ? path : match[0];
}

function parentName(path: string): string {
  return lastName(parentPath(path)) || 'document';
}

/** Breadth first: the shortest way down to a field named `key`, e.g. `toPorts[]`. */
function pathTo(shape: ObjectShape, key: string): string | undefined {
  const queue: { at: Shape; path: string; depth: number }[] = [{ at: shape, path: '', depth: 0 }];
  const seen = new Set<Shape>();
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (next.at.kind === 'list') {
      queue.push({ ...next, at: next.at.of, path: `${next.path}[]` });
    } else if (next.at.kind === 'object' && !seen.has(next.at) && next.depth < 5) {
      seen.add(next.at);
      if (next.path !== '' && Object.hasOwn(next.at.fields, key)) return next.path;
      for (const [name, field] of Object.entries(next.at.fields)) {
        queue.push({ at: field, path: next.path === '' ? name : `${next.path}.${name}`, depth: next.depth + 1 });
      }
    }
  }
  return undefined;
}

function describe(node: Node): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  const value = isScalar(node) ? node.value : undefined;
  return typeof value === 'string' ? `the string ${quote(value)}` : `the ${typeof value} ${quote(value)}`;
}

function keyText(pair: { key: unknown }): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

function isNull(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}
