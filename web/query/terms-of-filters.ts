/**
 * FlowFilters turned back into the flags that make them: what `sluice observe --print-raw-filters` prints, or a client of the API asks for,
 * as a text to read and to change. Whatever flags cannot say stands there as `--allowlist` and `--denylist`, so nothing is lost.
 */
import type { EventTypeFilter, FlowFilter } from '../../hubble/filter/flow-filter.ts';
import { type ObserveFilters, observeFilters } from '../../hubble/filter/observe-filter.ts';
import { EVENT_TYPES } from '../../hubble/filter/observe-value.ts';
import type { HttpHeader, NetworkInterface, TcpFlags, Workload } from '../../hubble/flow.ts';
import { flagsOf, type Term } from './query.ts';

/** Fields of one end, less `source_` and `destination_`: their flags less `from-` and `to-`. */
const ENDED: Readonly<Record<string, string>> = {
  ip: 'ip',
  pod: 'pod',
  fqdn: 'fqdn',
  label: 'label',
  service: 'service',
  port: 'port',
  workload: 'workload',
  identity: 'identity',
  cluster_name: 'cluster',
};
/** Fields of the whole flow whose flags have other names. */
const WHOLE: Readonly<Record<string, string>> = {
  node_labels: 'node-label',
  event_type: 'type',
  http_status_code: 'http-status',
  source_ip_xlated: 'snat-ip',
};

/** How a value is written, where it is no text. */
const WRITTEN: Readonly<Record<string, (value: never) => string>> = {
  type: ({ type = 0, match_sub_type: hasSub, sub_type: sub = 0 }: EventTypeFilter) => {
    const name = Object.keys(EVENT_TYPES).find((one) => EVENT_TYPES[one] === type) ?? String(type);
    return hasSub === true ? `${name}:${sub}` : name;
  },
  workload: ({ kind = '', name = '' }: Workload) => (kind === '' ? name : `${kind}/${name}`),
  'tcp-flags': (flags: TcpFlags) => Object.keys(flags).join(','),
  'http-header': ({ key, value }: HttpHeader) => `${key}:${value}`,
  interface: ({ name = '' }: NetworkInterface) => name,
  'ip-version': (value: string) => (value === 'IP_NOT_USED' ? 'none' : value.slice(2)),
};

type Flag = readonly [name: string, value: string];
type Lists = Readonly<Record<string, readonly unknown[]>>;

/** @returns terms whose filters are `filters` */
export function termsOfFilters({ allow, deny }: ObserveFilters): readonly Term[] {
  return [...termsOf(allow, false), ...termsOf(deny, true)];
}

function termsOf(list: readonly FlowFilter[], isNot: boolean): readonly Term[] {
  if (list.length === 0) return [];
  const flags =
    list.length === 1 ? flagsOfOne(list[0] as Lists) : list.length === 2 ? flagsOfEither(list as never) : [];
  const terms = flags.map(([flag, value]) => ({ flag, value, isNot }));
  return means(terms, list, isNot) ? terms : list.map((filter) => rawTerm(filter, isNot));
}

function rawTerm(filter: FlowFilter, isNot: boolean): Term {
  return { flag: isNot ? 'denylist' : 'allowlist', value: JSON.stringify(filter), isNot: false };
}

/** Whether the terms make just these filters. */
function means(terms: readonly Term[], list: readonly FlowFilter[], isNot: boolean): boolean {
  try {
    const { allow, deny } = observeFilters(flagsOf(terms));
    return canonical(isNot ? deny : allow) === canonical(list) && (isNot ? allow : deny).length === 0;
  } catch {
    return false;
  }
}

const canonical = (list: readonly FlowFilter[]) =>
  JSON.stringify(list.map((filter) => Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1))));

function flagsOfOne(filter: Lists): Flag[] {
  return Object.entries(filter).flatMap(([field, values]) => flagsOfField(field, values));
}

function flagsOfField(field: string, values: readonly unknown[]): Flag[] {
  const [, end, suffix] = /^(source|destination)_(.*)$/.exec(field) ?? [];
  if (end !== undefined && Object.hasOwn(ENDED, suffix)) {
    const name = ENDED[suffix];
    return values.map((value) => named(end === 'source' ? 'from-' : 'to-', name, written(name, value)));
  }
  if (field === 'encrypted') return values.map((value) => [value === true ? 'encrypted' : 'unencrypted', '']);
  const name = Object.hasOwn(WHOLE, field) ? WHOLE[field] : field.replaceAll('_', '-');
  return values.map((value) => [name, written(name, value)]);
}

/** A pod `shop/` is a namespace. */
function named(end: string, name: string, value: string): Flag {
  return name === 'pod' && /^[^/]+\/$/.test(value) ? [`${end}namespace`, value.slice(0, -1)] : [`${end}${name}`, value];
}

function written(flag: string, value: unknown): string {
  return Object.hasOwn(WRITTEN, flag) ? WRITTEN[flag](value as never) : String(value);
}

/** Two filters that say the same of one end or the other: a flag without an end. */
function flagsOfEither([left, right]: readonly [Lists, Lists]): Flag[] {
  const flags: Flag[] = [];
  for (const [field, values] of Object.entries(left)) {
    const twin = field.replace(/^source_/, 'destination_');
    if (right[field] !== undefined) flags.push(...flagsOfField(field, values));
    else if (twin !== field && right[twin] !== undefined)
      flags.push(...flagsOfField(field, values).map(([name, value]): Flag => [name.replace(/^from-/, ''), value]));
  }
  return flags;
}
