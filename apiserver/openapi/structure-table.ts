/**
 * Reads the table of structures, each when it is first asked for. A line is a structure:
 *
 *     core.v1.ServiceSpec|clusterIP s|ports [core.v1.ServicePort] map=port,protocol patch=merge key=port|selector {s} atomic
 *
 * Its name (`atomic` behind it: it has one owner), then its fields: name (`!` is required), type, marks. Types: `s` text, `y` bytes in
 * base64, `t` time, `i` and `l` integers of 32 and 64 bits, `d` number, `b` boolean, `q` quantity, `o` integer or text, `x` anything,
 * `[T]` list, `{T}` map, else the name of a structure, where `~` stands for apimachinery's and `^` for apiextensions' package. Marks:
 * `map=KEYS` and `set` (list types; lists without are atomic), `atomic` (maps), `patch=` and `key=` (strategic merge patch), `=VALUE`
 * (default), `always` (an object that is there without being written). The text is 47 kB; what was asked for stays read (a few kB a kind).
 */
import { KUBERNETES_STRUCTURES } from './kubernetes-structures.ts';
import { type Field, OPAQUE, type ObjectStructure, type Structure } from './structure.ts';

const SCALARS: Readonly<Record<string, Structure>> = {
  s: { kind: 'string' },
  y: { kind: 'string', format: 'byte' },
  t: { kind: 'string', format: 'date-time' },
  i: { kind: 'integer', format: 'int32' },
  l: { kind: 'integer', format: 'int64' },
  d: { kind: 'number', format: 'double' },
  b: { kind: 'boolean' },
  q: { kind: 'scalar', format: 'quantity' },
  o: { kind: 'scalar', format: 'int-or-string' },
  x: OPAQUE,
};

/** A structure whose fields are read when they are wanted: structures contain each other, some themselves. */
class TableStructure implements ObjectStructure {
  readonly kind = 'object';
  readonly name: string;
  readonly isAtomic: boolean;
  readonly isOpen = false;
  readonly #text: readonly string[];
  #fields: ReadonlyMap<string, Field> | undefined;

  constructor(name: string, line: string) {
    const [head, ...fields] = line.split('|');
    this.name = name;
    this.isAtomic = head.endsWith(' atomic');
    this.#text = fields;
  }

  get fields(): ReadonlyMap<string, Field> {
    this.#fields ??= new Map(this.#text.map((text) => readField(text)).map((field) => [field.name, field]));
    return this.#fields;
  }
}

const known = new Map<string, ObjectStructure>();

/** @param name as in the table. @returns undefined when it has none */
export function tableStructure(name: string): ObjectStructure | undefined {
  const found = known.get(name);
  if (found !== undefined) return found;
  // A name ends at a field, or at a word behind it.
  for (const end of ['|', ' atomic', '\n']) {
    const start = KUBERNETES_STRUCTURES.indexOf(`\n${name}${end}`) + 1;
    if (start === 0) continue;
    const line = KUBERNETES_STRUCTURES.slice(start, KUBERNETES_STRUCTURES.indexOf('\n', start));
    const structure = new TableStructure(name, line);
    known.set(name, structure);
    return structure;
  }
  return undefined;
}

function readField(text: string): Field {
  const [head, type, ...marks] = text.split(' ');
  const isRequired = head.endsWith('!');
  const mark = (name: string) => marks.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const [byDefault, mergeKey] = [mark(''), mark('key')];
  return {
    name: isRequired ? head.slice(0, -1) : head,
    structure: readType(type, marks, mark('map')),
    isRequired,
    isAlways: marks.includes('always'),
    strategies: mark('patch')?.split('+') ?? [],
    ...(mergeKey !== undefined && { mergeKey }),
    ...(byDefault !== undefined && { byDefault: /^\d+$/.test(byDefault) ? Number(byDefault) : byDefault }),
  };
}

function readType(type: string, marks: readonly string[] = [], keys?: string): Structure {
  if (type.startsWith('[')) {
    const relation = keys !== undefined ? 'map' : marks.includes('set') ? 'set' : 'atomic';
    return { kind: 'list', of: readType(type.slice(1, -1)), relation, keys: keys?.split(',') ?? [] };
  }
  if (type.startsWith('{')) return { kind: 'map', of: readType(type.slice(1, -1)), isAtomic: marks.includes('atomic') };
  const structure = SCALARS[type] ?? tableStructure(type);
  if (structure === undefined) throw new Error(`read table of structures: found type ${type}, wanted one of the table`);
  return structure;
}
