/**
 * Reads a .proto file, and says what a strict reader of its JSON (protojson, as in Hubble's clients) finds wrong with a
 * value: a field or a name of an enumeration that the file lacks, a value of another type, two members of a oneof.
 *
 * Of the language it knows what flow.proto has: messages, enumerations, oneofs, and a few well-known types.
 */

interface Field {
  readonly type: string;
  readonly number: number;
  readonly isRepeated: boolean;
  /** Of the oneof that it is a member of; '' when of none. */
  readonly oneof: string;
}

interface Schema {
  readonly messages: ReadonlyMap<string, ReadonlyMap<string, Field>>;
  readonly enums: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

const isInteger = (min: number, max: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
const isText = (value: unknown) => typeof value === 'string' && !/\p{Surrogate}/u.test(value);
const isDecimal = (value: unknown) => typeof value === 'string' && /^\d{1,20}$/.test(value);

/** Types that are neither messages nor enumerations of the file, by their JSON. */
const SCALARS: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: isText,
  bool: (value) => typeof value === 'boolean',
  int32: isInteger(-(2 ** 31), 2 ** 31 - 1),
  uint32: isInteger(0, 2 ** 32 - 1),
  int64: isDecimal,
  uint64: isDecimal,
  'google.protobuf.Timestamp': (value) =>
    typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z$/.test(value),
  'google.protobuf.BoolValue': (value) => typeof value === 'boolean',
  'google.protobuf.Int32Value': isInteger(-(2 ** 31), 2 ** 31 - 1),
  'google.protobuf.UInt32Value': isInteger(0, 2 ** 32 - 1),
  // A reader must know the type that it holds; this one every reader knows.
  'google.protobuf.Any': (value) =>
    (value as { '@type'?: string })['@type'] === 'type.googleapis.com/google.protobuf.StringValue' &&
    isText((value as { value?: unknown }).value) &&
    Object.keys(value as object).length === 2,
};

/** @throws Error at a line that is not understood */
export function readProto(text: string): Schema {
  const messages = new Map<string, Map<string, Field>>();
  const enums = new Map<string, Map<string, number>>();
  /** What encloses the line, outermost first. */
  const open: { kind: string; name: string }[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\/\/.*/, '').trim();
    if (line === '' || /^(syntax|package|reserved|option)\b/.test(line)) continue;
    const [, kind, name] = /^(message|enum|oneof) (\w+)\s*\{$/.exec(line) ?? [];
    if (kind !== undefined) {
      open.push({ kind, name });
      if (kind === 'message') messages.set(name, new Map());
      if (kind === 'enum') enums.set(name, new Map());
      continue;
    }
    if (line === '}') {
      open.pop();
      continue;
    }
    const at = open.at(-1);
    const [, repeated, type = '', field, number] =
      /^(repeated )?(?:([\w.]+) )?(\w+) = (\d+)(?: \[.*\])?;$/.exec(line) ?? [];
    if (at === undefined || field === undefined) throw new Error(`read proto: found ${line}, wanted a field`);
    if (at.kind === 'enum') enums.get(at.name)?.set(field, Number(number));
    else {
      const message = at.kind === 'oneof' ? open.at(-2)?.name : at.name;
      const oneof = at.kind === 'oneof' ? at.name : '';
      messages
        .get(message ?? '')
        ?.set(field, { type, number: Number(number), isRepeated: repeated !== undefined, oneof });
    }
  }
  return { messages, enums };
}

/** @returns what is wrong with `value` as JSON of message `name`, each with its path */
export function strictProblems(schema: Schema, name: string, value: unknown, path = name): string[] {
  const fields = schema.messages.get(name);
  if (fields === undefined) return [`${path}: no message ${name}`];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: no object`];
  const problems: string[] = [];
  const taken = new Set<string>();
  for (const [key, member] of Object.entries(value)) {
    const field = fields.get(key);
    if (field === undefined) {
      problems.push(`${path}.${key}: no such field`);
      continue;
    }
    if (field.oneof !== '' && taken.has(field.oneof)) problems.push(`${path}.${key}: a second ${field.oneof}`);
    taken.add(field.oneof);
    if (!field.isRepeated) problems.push(...valueProblems(schema, field.type, member, `${path}.${key}`));
    else if (!Array.isArray(member)) problems.push(`${path}.${key}: no list`);
    else
      member.forEach((one, i) => {
        problems.push(...valueProblems(schema, field.type, one, `${path}.${key}[${i}]`));
      });
  }
  return problems;
}

function valueProblems(schema: Schema, type: string, value: unknown, path: string): string[] {
  const names = schema.enums.get(type);
  if (names !== undefined) {
    return typeof value === 'string' && names.has(value) ? [] : [`${path}: no ${type} ${String(value)}`];
  }
  const isRight = SCALARS[type];
  if (isRight === undefined) return strictProblems(schema, type, value, path);
  return value !== null && isRight(value) ? [] : [`${path}: ${JSON.stringify(value)} is no ${type}`];
}
