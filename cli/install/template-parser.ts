/**
 * Reads the templates of the chart: the part of Go's text/template that charts/sluice uses. A pipeline is a tree of values; what is
 * not known here is an error with its line, never passed over.
 *
 *   {{- if PIPELINE }} {{ else if }} {{ else }} {{ end }}   {{ range $k, $v := PIPELINE }}   {{ with PIPELINE }}   {{ define "name" }}
 *   {{ $name := PIPELINE }}   {{ VALUE VALUE | FUNCTION VALUE }}   values: "text" 12 true . .Field $name $name.Field (PIPELINE).Field
 */

export type Value =
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'field'; readonly of: Value; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Value[] };

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: Value }
  | { readonly kind: 'assign'; readonly name: string; readonly value: Value }
  | {
      readonly kind: 'if' | 'with';
      readonly value: Value;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | {
      readonly kind: 'range';
      readonly names: readonly string[];
      readonly value: Value;
      readonly body: readonly Node[];
    };

interface Action {
  readonly text: string;
  readonly line: number;
}

/** What a file holds: what it prints, and what it defines for others. */
export interface Template {
  readonly body: readonly Node[];
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}

/** @throws SyntaxError with file and line */
export function parseTemplate(text: string, file: string): Template {
  return new Parser(pieces(text), file).template();
}

/** Text and actions in turn; a dash within braces takes away the white space beside them. */
function pieces(text: string): (string | Action)[] {
  const found: (string | Action)[] = [];
  let from = 0;
  let isTrimmed = false;
  const trimmed = (part: string, isEndTrimmed: boolean): string => {
    const begun = isTrimmed ? part.trimStart() : part;
    return isEndTrimmed ? begun.trimEnd() : begun;
  };
  for (const match of text.matchAll(
    /\{\{(-\s)?\s*((?:"(?:[^"\\]|\\.)*"|\/\*[\s\S]*?\*\/|(?!\s*-?\}\}).)*?)\s*(\s-)?\}\}/gs,
  )) {
    found.push(trimmed(text.slice(from, match.index), match[1] !== undefined));
    const line = text.slice(0, match.index).split('\n').length;
    if (!match[2].startsWith('/*')) found.push({ text: match[2], line });
    from = match.index + match[0].length;
    isTrimmed = match[3] !== undefined;
  }
  found.push(trimmed(text.slice(from), false));
  return found;
}

const TOKEN = /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|:=|[|(),=]|\$[\w.]*|\.[\w.]*|-?\d+(?:\.\d+)?|\w+)/y;

class Parser {
  readonly #pieces: (string | Action)[];
  readonly #file: string;
  readonly #defined = new Map<string, readonly Node[]>();
  #at = 0;
  #tokens: string[] = [];
  #line = 0;

  constructor(all: (string | Action)[], file: string) {
    this.#pieces = all;
    this.#file = file;
  }

  template(): Template {
    const { nodes, end } = this.#nodes();
    if (end !== '') throw this.#error(`found ${end}, wanted the end of the file`);
    return { body: nodes, defined: this.#defined };
  }

  /** Up to `end` or `else`, whose tokens are left to be read. */
  #nodes(): { nodes: Node[]; end: string } {
    const nodes: Node[] = [];
    for (; this.#at < this.#pieces.length; this.#at++) {
      const piece = this.#pieces[this.#at];
      if (typeof piece === 'string') {
        if (piece !== '') nodes.push({ kind: 'text', text: piece });
        continue;
      }
      this.#tokenize(piece);
      const [first] = this.#tokens;
      if (first === 'end' || first === 'else') return { nodes, end: first };
      this.#at++;
      const node = this.#node(first);
      this.#at--;
      if (node !== undefined) nodes.push(node);
    }
    return { nodes, end: '' };
  }

  #node(first: string): Node | undefined {
    if (first === 'define') {
      this.#defined.set(JSON.parse(this.#tokens[1]) as string, this.#block());
      return undefined;
    }
    if (first === 'if' || first === 'with') {
      this.#tokens.shift();
      return this.#choice(first);
    }
    if (first === 'range') {
      this.#tokens.shift();
      const names = this.#names();
      return { kind: 'range', names, value: this.#whole(), body: this.#block() };
    }
    const [name] = this.#names();
    const value = this.#whole();
    return name === undefined ? { kind: 'print', value } : { kind: 'assign', name, value };
  }

  #choice(kind: 'if' | 'with'): Node {
    const value = this.#whole();
    const { nodes: body, end } = this.#nodes();
    this.#at++;
    if (end === 'end') return { kind, value, body, otherwise: [] };
    if (end === '') throw this.#error(`${kind} without an end`);
    this.#tokens.shift();
    if (this.#tokens[0] === 'if') {
      this.#tokens.shift();
      return { kind, value, body, otherwise: [this.#choice('if')] };
    }
    return { kind, value, body, otherwise: this.#block() };
  }

  #block(): Node[] {
    const { nodes, end } = this.#nodes();
    if (end !== 'end') throw this.#error(`found ${end || 'the end of the file'}, wanted an end`);
    this.#at++;
    return nodes;
  }

  /** `$a :=`, `$a =`, `$a, $b :=`, or none. */
  #names(): string[] {
    const at = this.#tokens.findIndex((token) => token === ':=' || token === '=');
    return at < 0 ? [] : this.#tokens.splice(0, at + 1).filter((token) => token.startsWith('$'));
  }

  #whole(): Value {
    const value = this.#pipeline();
    if (this.#tokens.length > 0) throw this.#error(`found ${this.#tokens[0]}, wanted the end of the action`);
    return value;
  }

  #pipeline(): Value {
    let value = this.#command([]);
    while (this.#tokens[0] === '|') {
      this.#tokens.shift();
      value = this.#command([value]);
    }
    return value;
  }

  #command(piped: readonly Value[]): Value {
    const [first] = this.#tokens;
    if (first !== undefined && /^[a-z]\w*$/i.test(first) && !['true', 'false', 'nil'].includes(first)) {
      this.#tokens.shift();
      const args: Value[] = [];
      while (this.#tokens.length > 0 && !['|', ')'].includes(this.#tokens[0])) args.push(this.#operand());
      return { kind: 'call', name: first, args: [...args, ...piped] };
    }
    if (piped.length > 0) throw this.#error(`found ${first ?? 'nothing'} behind |, wanted a function`);
    return this.#operand();
  }

  #operand(): Value {
    const token = this.#tokens.shift();
    if (token === undefined) throw this.#error('found the end of the action, wanted a value');
    if (token === '(') {
      const value = this.#pipeline();
      if (this.#tokens.shift() !== ')') throw this.#error('found no ), wanted one');
      return this.#tokens[0]?.startsWith('.') && this.#tokens[0] !== '.'
        ? fieldsOf(value, this.#tokens.shift() ?? '')
        : value;
    }
    if (token.startsWith('"')) return { kind: 'literal', value: JSON.parse(token) };
    if (token.startsWith('`')) return { kind: 'literal', value: token.slice(1, -1) };
    if (token.startsWith('$')) {
      const [name, ...rest] = token.split('.');
      return fieldsOf({ kind: 'variable', name }, rest.join('.'));
    }
    if (token.startsWith('.')) return fieldsOf({ kind: 'dot' }, token);
    if (/^-?\d/.test(token)) return { kind: 'literal', value: Number(token) };
    if (token in WORDS) return { kind: 'literal', value: WORDS[token] };
    if (/^[a-z]\w*$/i.test(token)) return { kind: 'call', name: token, args: [] };
    throw this.#error(`found ${token}, wanted a value`);
  }

  #tokenize({ text, line }: Action): void {
    this.#line = line;
    this.#tokens = [];
    TOKEN.lastIndex = 0;
    for (let end = 0; end < text.trimEnd().length; end = TOKEN.lastIndex) {
      const match = TOKEN.exec(text);
      if (match === null) throw this.#error(`found ${text.slice(end, end + 20)}, wanted a value or a function`);
      this.#tokens.push(match[1]);
    }
  }

  #error(what: string): SyntaxError {
    return new SyntaxError(`${this.#file}:${this.#line}: ${what}`);
  }
}

const WORDS: Readonly<Record<string, unknown>> = { true: true, false: false, nil: undefined };

function fieldsOf(value: Value, path: string): Value {
  const names = path.split('.').filter((name) => name !== '');
  return names.reduce<Value>((of, name) => ({ kind: 'field', of, name }), value);
}
