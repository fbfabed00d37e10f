/**
 * JSONPath templates as kubectl and cilium-dbg take them: text with `{...}` parts.
 *
 *     {.items[*].metadata.name}                 every match, blanks between
 *     {range .[*]}{.id}{"\t"}{.state}{"\n"}{end} a loop
 *     {.[?(@.state=="ready")].id}               a filter: == != < <= > >=, or a bare path that must exist
 *     {..name}                                  every `name` at any depth
 *
 * Also `$` and `@`, `['key']`, `[2]`, `[-1]`, `[1:3]`, `[a,b]`. A key that is missing matches nothing.
 */
type Match = unknown;
type Step = (matches: readonly Match[]) => Match[];
type Part =
  | { kind: 'text'; text: string }
  | { kind: 'path'; steps: readonly Step[] }
  | { kind: 'range'; steps: readonly Step[]; body: readonly Part[] };

/**
 * Fills a template from a document.
 * @throws SyntaxError naming the template and the place when it cannot be read
 */
export function renderJsonPath(template: string, document: unknown): string {
  const reader = new Reader(template.includes('{') ? template : `{${template}}`);
  const parts = readParts(reader, false);
  return renderParts(parts, document);
}

/**
 * Where a path such as `.status.conditions[?(@.type=="Ready")].status` leads to in documents: every match.
 * @throws SyntaxError naming the path and the place when it cannot be read
 */
export function compileJsonPath(path: string): (document: unknown) => unknown[] {
  const steps = readPath(new Reader(`${path}}`), /\}/y);
  return (document) => follow(steps, document);
}

function renderParts(parts: readonly Part[], document: unknown): string {
  let text = '';
  for (const part of parts) {
    if (part.kind === 'text') text += part.text;
    else if (part.kind === 'path') text += follow(part.steps, document).map(plain).join(' ');
    else for (const match of follow(part.steps, document)) text += renderParts(part.body, match);
  }
  return text;
}

function follow(steps: readonly Step[], document: unknown): Match[] {
  return steps.reduce<Match[]>((matches, step) => step(matches), [document]);
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

class Reader {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Takes the match of a sticky pattern here, or null. */
  take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match !== null) this.at += match[0].length;
    return match;
  }

  fail(wanted: string): never {
    throw new SyntaxError(`jsonpath '${this.text}': at ${this.at}: wanted ${wanted}`);
  }
}

function readParts(reader: Reader, isInRange: boolean): Part[] {
  const parts: Part[] = [];
  for (;;) {
    const literal = reader.take(/[^{]+/y);
    if (literal !== null) parts.push({ kind: 'text', text: literal[0] });
    if (reader.take(/$/y) !== null) {
      if (isInRange) reader.fail('{end}');
      return parts;
    }
    reader.take(/\{\s*/y);
    const quoted = reader.take(/"((?:[^"\\]|\\.)*)"\s*\}/y) ?? reader.take(/'((?:[^'\\]|\\.)*)'\s*\}/y);
    if (quoted !== null) {
      parts.push({ kind: 'text', text: unescape(quoted[1]) });
    } else if (reader.take(/end\s*\}/y) !== null) {
      if (!isInRange) reader.fail('no {end} without {range}');
      return parts;
    } else if (reader.take(/range\s+/y) !== null) {
      const steps = readPath(reader, /\}/y);
      parts.push({ kind: 'range', steps, body: readParts(reader, true) });
    } else {
      parts.push({ kind: 'path', steps: readPath(reader, /\}/y) });
    }
  }
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => ({ n: '\n', t: '\t', r: '\r' })[char] ?? char);
}

/** Reads steps up to and with what ends them. */
function readPath(reader: Reader, end: RegExp): Step[] {
  const steps: Step[] = [];
  reader.take(/\s*[$@]?/y);
  for (;;) {
    if (reader.take(/\s*/y) !== null && reader.take(end) !== null) return steps;
    const step = readStep(reader);
    if (step !== undefined) steps.push(step);
  }
}

function readStep(reader: Reader): Step | undefined {
  const deep = reader.take(/\.\.([\w/-]+)/y);
  if (deep !== null) return each((value) => descendants(value).flatMap((one) => child(one, deep[1])));
  if (reader.take(/\.?\*/y) !== null) return each(children);
  const name = reader.take(/\.?((?:[\w/-]|\\.)+)/y);
  if (name !== null) {
    const key = name[1].replace(/\\(.)/g, '$1');
    return each((value) => child(value, key));
  }
  if (reader.take(/\.?\[\s*/y) !== null) return readBracket(reader);
  if (reader.take(/\./y) !== null) return undefined;
  return reader.fail('.field, [index], [*], ..field or }');
}

function readBracket(reader: Reader): Step {
  if (reader.take(/\*\s*\]/y) !== null) return each(children);
  if (reader.take(/\?\(\s*/y) !== null) return readFilter(reader);
  const slice = reader.take(/(-?\d*):(-?\d*)(?::(\d+))?\s*\]/y);
  if (slice !== null) return sliceStep(slice);
  const names = reader.take(/((?:'[^']*'|"[^"]*"|-?\d+)(?:\s*,\s*(?:'[^']*'|"[^"]*"|-?\d+))*)\s*\]/y);
  if (names === null) return reader.fail("*, a number, 'key', from:to or ?(filter) and ]");
  const keys = [...names[1].matchAll(/'([^']*)'|"([^"]*)"|(-?\d+)/g)].map((m) => m[1] ?? m[2] ?? Number(m[3]));
  return each((value) => keys.flatMap((key) => child(value, key)));
}

function sliceStep(slice: RegExpExecArray): Step {
  const from = slice[1] === '' ? 0 : Number(slice[1]);
  const to = slice[2] === '' ? undefined : Number(slice[2]);
  const by = slice[3] === undefined ? 1 : Math.max(1, Number(slice[3]));
  return each((value) => (Array.isArray(value) ? value.slice(from, to).filter((_, at) => at % by === 0) : []));
}

function readFilter(reader: Reader): Step {
  const left = readPath(reader, /(?=\s*(?:==|!=|<=|>=|<|>|\)))/y);
  const operator = reader.take(/\s*(==|!=|<=|>=|<|>)\s*/y);
  if (operator === null) {
    if (reader.take(/\s*\)\s*\]/y) === null) reader.fail(')]');
    return each((value) => children(value).filter((one) => follow(left, one).length > 0));
  }
  const literal = reader.take(/'([^']*)'|"([^"]*)"|(-?\d+(?:\.\d+)?)|(true|false|null)/y);
  if (literal === null || reader.take(/\s*\)\s*\]/y) === null)
    return reader.fail("a 'text', number, true or false and )]");
  const wanted: unknown = literal[1] ?? literal[2] ?? (JSON.parse(literal[3] ?? literal[4]) as unknown);
  return each((value) =>
    children(value).filter((one) => follow(left, one).some((m) => compare(m, operator[1], wanted))),
  );
}

function compare(found: unknown, operator: string, wanted: unknown): boolean {
  if (operator === '==') return found === wanted;
  if (operator === '!=') return found !== wanted;
  if (typeof found !== typeof wanted) return false;
  const [a, b] = [found as number, wanted as number];
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}

function each(expand: (value: unknown) => Match[]): Step {
  return (matches) => matches.flatMap(expand);
}

function children(value: unknown): Match[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}

function child(value: unknown, key: string | number): Match[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) {
    const at = Number(key);
    return Number.isInteger(at) && value.at(at) !== undefined ? [value.at(at)] : [];
  }
  return Object.hasOwn(value, key) ? [(value as Record<string, unknown>)[key]] : [];
}

function descendants(value: unknown): Match[] {
  return [value, ...children(value).flatMap(descendants)];
}
