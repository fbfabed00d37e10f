/** Values of a chart as Helm takes them: those of the chart, files over them, --set over these; then judged by values.schema.json. */
import { Failure } from '../terminal/failure.ts';

export type Values = Record<string, unknown>;

const isTable = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Tables are laid over each other, all else takes the place of what was there; null takes a value away. */
export function overlaid(below: Values, over: Values): Values {
  const result = { ...below };
  for (const [name, value] of Object.entries(over)) {
    const before = result[name];
    if (value === null) delete result[name];
    else result[name] = isTable(before) && isTable(value) ? overlaid(before, value) : value;
  }
  return result;
}

/**
 * The values of `--set a.b=c,d[0]=e,f={g,h}`. A backslash takes the meaning from the sign behind it.
 * @param isText `--set-string`: every value is text
 * @throws Failure
 */
export function setValues(text: string, isText = false): Values {
  let result: Values = {};
  for (const setting of split(text, ',')) {
    const equals = /(?<!\\)=/.exec(setting)?.index ?? -1;
    if (equals < 1) throw new Failure(`--set ${text}: found ${JSON.stringify(setting)}, wanted NAME=VALUE`);
    const value = valueOf(setting.slice(equals + 1), isText);
    const keys = split(setting.slice(0, equals), '.')
      .flatMap((key) => key.split(/(?=\[\d+\]$)/))
      .map(plain);
    result = overlaid(result, keys.reduceRight<unknown>((inner, key) => placed(key, inner), value) as Values);
  }
  return result;
}

/** Lists are given whole: only their first place can be named alone. */
function placed(key: string, inner: unknown): unknown {
  const place = /^\[(\d+)\]$/.exec(key)?.[1];
  if (place === undefined) return { [key]: inner };
  if (place !== '0') throw new Failure(`--set: found ${key}, wanted a list as {a,b}, or -f with a file of values`);
  return [inner];
}

function valueOf(text: string, isText: boolean): unknown {
  if (text.startsWith('{') && text.endsWith('}')) {
    const inner = text.slice(1, -1);
    return inner === '' ? [] : split(inner, ',').map((one) => valueOf(one, isText));
  }
  if (isText) return plain(text);
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'null') return null;
  return /^-?(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : plain(text);
}

const plain = (text: string): string => text.replace(/\\(.)/g, '$1');

/** At a separator that is neither escaped nor within braces. */
function split(text: string, separator: string): string[] {
  const parts = [''];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '\\') parts[parts.length - 1] += sign + (text[++at] ?? '');
    else if (sign === separator && depth === 0) parts.push('');
    else {
      if (sign === '{') depth++;
      if (sign === '}') depth--;
      parts[parts.length - 1] += sign;
    }
  }
  return parts;
}

/** The part of JSON Schema that values.schema.json uses. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What is wrong with values, a line each. */
export function schemaProblems(schema: Schema, value: unknown, path = ''): string[] {
  const where = path === '' ? 'values' : path;
  const { type, properties = {} } = schema;
  const types = type === undefined ? [] : [type].flat();
  if (types.length > 0 && !types.some((one) => isOfType(value, one)))
    return [`${where}: found ${JSON.stringify(value)}, wanted ${types.join(' or ')}`];
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return [`${where}: found ${JSON.stringify(value)}, wanted one of ${schema.enum.map(String).join(', ')}`];
  if (typeof value === 'number' && (value < (schema.minimum ?? value) || value > (schema.maximum ?? value)))
    return [`${where}: found ${value}, wanted ${schema.minimum ?? ''} to ${schema.maximum ?? ''}`];
  if (Array.isArray(value))
    return value.flatMap((one, at) => schemaProblems(schema.items ?? {}, one, `${path}[${at}]`));
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([name, one]) => {
    const inner = path === '' ? name : `${path}.${name}`;
    if (Object.hasOwn(properties, name)) return schemaProblems(properties[name], one, inner);
    return schema.additionalProperties === false
      ? [`${inner}: there is no such value: see charts/sluice/values.yaml`]
      : [];
  });
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'object':
      return isTable(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'null':
      return value === null || value === undefined;
    default:
      return typeof value === type;
  }
}
