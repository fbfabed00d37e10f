/**
 * Reads a YAML tree against a shape: nodes in, plain values out, and a problem with its exact position for every field
 * that is unknown, missing or of the wrong type. It never stops at the first problem. What a shape cannot say (one of these
 * two, a range inside another) is checked afterwards on the plain value, in policy/validate/, which reports by path through
 * `problem()`.
 *
 * Forgiveness: tutorials write `port: 80` and `- "X-Name": "value"` where Kubernetes wants strings. Both are read as
 * what they mean, with a warning. A null field is an absent field, as in Kubernetes.
 *
 * An object that lacks what it must have is left out of the plain value, so that the checks afterwards may trust its type. Only
 * the document itself and objects of which we know a part stay: whoever reads those expects gaps.
 *
 * Limits: 500,000 values, 64 levels and 10,000 merged maps a document, aliases counted wherever they are used.
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
import { joinPath, lastName, parentPath } from './document-path.ts';
import { nearest, type Problem, quote, type Severity } from '../rule/problems.ts';
import { booleanOfWord, numberToKubectl } from './yaml-words.ts';
import { any, type IntegerShape, type ObjectShape, type Shape, type StringShape, wayTo } from './shape.ts';

export const MAX_NODES = 500_000;
export const MAX_DEPTH = 64;
const MAX_MERGES = 10_000; // maps behind `<<`

export class Reader {
  readonly problems: Problem[] = [];
  /** `Kind/name`, once known; goes into problems. */
  documentName: string | undefined;
  readonly #document: YamlDocument;
  readonly #lines: LineCounter;
  readonly #file: string;
  readonly #offsets = new Map<string, number>();
  readonly #parents: ObjectShape[] = [];
  #nodes = 0;
  #merges = 0;
  #depth = 0;

  constructor(document: YamlDocument, lines: LineCounter, file: string) {
    this.#document = document;
    this.#lines = lines;
    this.#file = file;
  }

  /** The node at the top of the document. */
  get root(): unknown {
    return this.#document.contents;
  }

  /** Reads `node` as `shape`; undefined when absent, null or wrong (then a problem was reported). */
  read(node: unknown, shape: Shape, path: string): unknown {
    const target = isAlias(node) ? node.resolve(this.#document) : node;
    if (target === null || target === undefined) return undefined;
    this.#offsets.set(path, (node as Node).range?.[0] ?? 0);
    if (isScalar(target) && target.value === null) return undefined;
    if (this.#isTooMuch(path)) return undefined;
    this.#depth++;
    const value = this.#readAs(target as Node, shape, path);
    this.#depth--;
    return value;
  }

  #isTooMuch(path: string): boolean {
    if (++this.#nodes <= MAX_NODES && this.#depth < MAX_DEPTH) return false;
    if (this.#nodes === MAX_NODES + 1 || this.#depth >= MAX_DEPTH) {
      this.#tooLarge(path);
    }
    return true;
  }

  #readAs(node: Node, shape: Shape, path: string): unknown {
    switch (shape.kind) {
      case 'any':
        return this.#readAny(node, path);
      case 'string':
        return this.#readString(node, shape, path);
      case 'integer':
        return this.#readInteger(node, shape, path);
      case 'boolean':
        return this.#readBoolean(node, path);
      case 'list':
        return this.#readList(node, shape.of, path);
      case 'map':
        return this.#readMap(node, shape.of, path);
      case 'object':
        return this.#readObject(node, shape, path);
    }
  }

  #readBoolean(node: Node, path: string): boolean | undefined {
    const value = isScalar(node) && typeof node.value === 'boolean' ? node.value : booleanOfWord(node);
    if (value === undefined) this.#wrongType(node, path, 'true or false');
    return value;
  }

  #readAny(node: Node, path: string): unknown {
    if (isMap(node)) return this.#readMap(node, any, path);
    if (isSeq(node)) return node.items.map((item, i) => this.read(item, any, `${path}[${i}]`) ?? null);
    return isScalar(node) ? node.value : undefined;
  }

  #readList(node: Node, of: Shape, path: string): unknown[] | undefined {
    if (!isSeq(node)) {
      this.#wrongType(node, path, 'a list');
      return undefined;
    }
    const values: unknown[] = [];
    node.items.forEach((item, i) => {
      const place = `${path}[${i}]`;
      const value = this.read(item, of, place);
      if (value !== undefined) values.push(value);
      else if (isNull(item as Node | null)) {
        this.problem(
          place,
          'wrong-type',
          `read ${lastName(place)}: found nothing after the dash, wanted ${NAMES[of.kind]}`,
        );
      }
    });
    return values;
  }

  #readString(node: Node, shape: StringShape, path: string): string | undefined {
    const text = this.#stringOf(node, shape, path);
    if (text === undefined || shape.oneOf === undefined || shape.oneOf.includes(text)) return text;
    const { oneOf, told = oneOf, hints = {} } = shape;
    const near = oneOf.find((value) => value.toLowerCase() === text.toLowerCase()) ?? nearest(text, told);
    const message = `read ${lastName(path)}: found ${quote(text)}, wanted one of ${told.join(', ')}`;
    const known = Object.hasOwn(hints, text) ? hints[text] : undefined;
    this.problem(path, 'unknown-value', message, known ?? (near && `did you mean ${quote(near)}?`));
    return undefined;
  }

  #stringOf(node: Node, { pair = false, strict = false }: StringShape, path: string): string | undefined {
    const isWord = !strict && booleanOfWord(node) !== undefined;
    if (isScalar(node) && typeof node.value === 'string' && !isWord) return node.value;
    if (isScalar(node) && !strict) {
      const text = node.source ?? String(node.value);
      const found = isWord || typeof node.value === 'boolean' ? `the boolean ${text}` : `the number ${text}`;
      this.warn(
        path,
        'unquoted',
        `read ${lastName(path)}: found ${found}, wanted a string`,
        `taken as ${quote(text)}; write it in quotes`,
      );
      return text;
    }
    const text = pair ? pairText(node) : undefined;
    if (text === undefined) {
      this.#wrongType(node, path, 'a string');
      return undefined;
    }
    this.warn(
      path,
      'pair-for-string',
      `read ${lastName(path)}: found a map, wanted a string`,
      `taken as ${quote(text)}; put the quotes around the whole of it`,
    );
    return text;
  }

  #readInteger(node: Node, shape: IntegerShape, path: string): number | string | undefined {
    const value = isScalar(node) ? node.value : undefined;
    const octal = numberToKubectl(node);
    if (octal !== undefined) {
      const source = (node as { source?: string }).source ?? '';
      const message = `read ${lastName(path)}: found ${source}, wanted a decimal number`;
      this.problem(path, 'octal', message, `kubectl reads it as ${octal}`);
      return undefined;
    }
    const isWord = booleanOfWord(node) !== undefined;
    if (shape.orString === true && typeof value === 'string' && !isWord) return value;
    const wanted = shape.min === undefined ? 'an integer' : `an integer from ${shape.min} to ${shape.max ?? 'any'}`;
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      const hint = typeof value === 'string' && /^\d+$/.test(value) ? `write ${value} without quotes` : undefined;
      this.#wrongType(node, path, wanted, hint);
      return undefined;
    }
    if ((shape.min !== undefined && value < shape.min) || (shape.max !== undefined && value > shape.max)) {
      this.problem(path, 'out-of-range', `read ${lastName(path)}: found ${value}, wanted ${wanted}`);
      return undefined;
    }
    return value;
  }

  #readMap(node: Node, of: Shape, path: string): Record<string, unknown> | undefined {
    if (!isMap(node)) {
      this.#wrongType(node, path, 'a map');
      return undefined;
    }
    const entries: [string, unknown][] = [];
    for (const [key, item] of this.#pairs(node)) {
      const value = this.read(item, of, joinPath(path, key));
      // A label without a value (`role:`) is an empty string, not an absent label.
      if (value !== undefined) entries.push([key, value]);
      else if (of.kind === 'string' && isNull(item)) entries.push([key, '']);
    }
    return Object.fromEntries(entries);
  }

  #readObject(node: Node, shape: ObjectShape, path: string): Record<string, unknown> | undefined {
    if (!isMap(node)) {
      this.#wrongType(node, path, 'a map');
      return undefined;
    }
    this.#parents.push(shape);
    const entries: [string, unknown][] = [];
    for (const [key, item, keyOffset] of this.#pairs(node)) {
      const field = Object.hasOwn(shape.fields, key) ? shape.fields[key] : shape.open ? any : undefined;
      const place = joinPath(path, key);
      if (field === undefined) {
        this.#offsets.set(place, keyOffset);
        this.#unknownField(shape, key, place);
        continue;
      }
      const value = this.read(item, field, place);
      if (value !== undefined) entries.push([key, value]);
    }
    this.#parents.pop();
    const value = Object.fromEntries(entries);
    let isWhole = true;
    for (const name of shape.required) {
      if (value[name] !== undefined) continue;
      isWhole = false;
      if (this.#hasProblemAt(joinPath(path, name))) continue;
      const message = `read ${lastName(path)}: found no ${name}, wanted one`;
      this.problem(joinPath(path, name), 'missing-field', message);
    }
    return isWhole || shape.open || path === '' ? value : undefined;
  }

  /** Keys, values and places of keys of a map, `<<` merged in. */
  *#pairs(node: Node, depth = 0): Generator<[key: string, value: Node | null, offset: number]> {
    if (!isMap(node)) return;
    if (depth > 0 && this.#mergesTooMuch(depth)) return;
    const own = new Set(node.items.map(keyText));
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const key = keyText(pair);
      if (key !== '<<') {
        yield [key, pair.value, pair.key.range?.[0] ?? 0];
        continue;
      }
      const merged = isAlias(pair.value) ? pair.value.resolve(this.#document) : pair.value;
      for (const source of isSeq(merged) ? merged.items : [merged]) {
        const target = isAlias(source) ? source.resolve(this.#document) : source;
        for (const inner of this.#pairs(target as Node, depth + 1)) if (!own.has(inner[0])) yield inner;
      }
    }
  }

  /** A map may be merged into itself, or many times over. */
  #mergesTooMuch(depth: number): boolean {
    if (depth <= MAX_DEPTH && ++this.#merges <= MAX_MERGES) return false;
    if (!this.problems.some(({ code }) => code === 'too-large')) this.#tooLarge('');
    return true;
  }

  #tooLarge(path: string): void {
    this.problem(
      path,
      'too-large',
      `read document: found more than ${MAX_NODES} values or ${MAX_DEPTH} levels, wanted fewer`,
    );
  }

  #unknownField(shape: ObjectShape, key: string, path: string): void {
    const known = Object.keys(shape.fields);
    const namesake = NAMESAKES[key];
    const near = namesake !== undefined && known.includes(namesake) ? namesake : nearest(key, known);
    const hint =
      near !== undefined
        ? `did you mean ${quote(near)}?`
        : (this.#placeOf(shape, key) ?? `known fields here: ${known.join(', ')}`);
    const message = `read ${lastName(parentPath(path))}: found unknown field ${quote(key)}, wanted a known one`;
    this.problem(path, 'unknown-field', message, hint);
  }

  /** Where the field would be right: deeper from here first, then from each enclosing object. */
  #placeOf(shape: ObjectShape, key: string): string | undefined {
    const below = wayTo(shape, key);
    if (below !== undefined) return `${key} belongs inside ${below}`;
    const outward = this.#parents.slice(0, -1).reverse();
    for (const [levels, parent] of outward.entries()) {
      if (Object.hasOwn(parent.fields, key))
        return `${key} belongs ${levels + 1} level${levels === 0 ? '' : 's'} further out`;
      const across = wayTo(parent, key);
      if (across !== undefined) return `${key} belongs inside ${across}`;
    }
    return undefined;
  }

  #wrongType(node: Node, path: string, wanted: string, hint?: string): void {
    const message = `read ${lastName(path)}: found ${describe(node)}, wanted ${wanted}`;
    this.problem(path, 'wrong-type', message, hint);
  }

  /** Reports an error at `path`, or at the nearest ancestor that was written. */
  problem(path: string, code: string, message: string, hint?: string): void {
    this.#report('error', { path, code, message, ...(hint !== undefined && { hint }) });
  }

  /** Was something wrong said of this very place? What follows from it need not be said too. */
  isReported(path: string): boolean {
    return this.problems.some((problem) => problem.path === path && problem.severity === 'error');
  }

  /** Reports what is legal and surely not meant. */
  warn(path: string, code: string, message: string, hint?: string): void {
    this.#report('warning', { path, code, message, ...(hint !== undefined && { hint }) });
  }

  #report(severity: Severity, said: Pick<Problem, 'path' | 'code' | 'message' | 'hint'>): void {
    this.problems.push({
      file: this.#file,
      ...this.position(said.path),
      severity,
      ...said,
      ...(this.documentName !== undefined && { document: this.documentName }),
    });
  }

  /** Line and column of a path; of its nearest written ancestor when it was not written itself. */
  position(path: string): { line: number; column: number } {
    for (let place = path; ; place = parentPath(place)) {
      const offset = this.#offsets.get(place);
      if (offset === undefined && place !== '') continue;
      const { line, col } = this.#lines.linePos(offset ?? 0);
      return { line: Math.max(1, line), column: Math.max(1, col) };
    }
  }

  /** Is nothing wrong with what was written here and below? Else what seems to be missing may just have been misspelt. */
  isSound(path: string): boolean {
    const isBelow = (place: string): boolean =>
      path === '' || (place.startsWith(path) && /^[.[]?$/.test(place.charAt(path.length)));
    return !this.problems.some((problem) => problem.severity === 'error' && isBelow(problem.path));
  }

  #hasProblemAt(path: string): boolean {
    return this.problems.some((problem) => problem.path === path || problem.path.startsWith(`${path}.`));
  }
}

/** Fields of a NetworkPolicy and of a Cilium policy that mean the same. */
const NAMESAKES: Readonly<Record<string, string | undefined>> = Object.assign(Object.create(null) as object, {
  podSelector: 'endpointSelector',
  endpointSelector: 'podSelector',
});

const NAMES = {
  string: 'a string',
  integer: 'an integer',
  boolean: 'true or false',
  any: 'a value',
  list: 'a list',
  map: 'a map',
  object: 'a map ({} when nothing is to be said)',
} as const satisfies Record<Shape['kind'], string>;

function describe(node: Node): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  const value = isScalar(node) ? node.value : undefined;
  return typeof value === 'string' ? `the string ${quote(value)}` : `the ${typeof value} ${quote(value)}`;
}

function pairText(node: Node): string | undefined {
  if (!isMap(node) || node.items.length !== 1) return undefined;
  const { key, value } = node.items[0];
  return isScalar(key) && isScalar(value) ? `${String(key.value)}: ${String(value.value)}` : undefined;
}

function keyText(pair: { key: unknown }): string {
  return String(isScalar(pair.key) ? pair.key.value : pair.key);
}

function isNull(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}
