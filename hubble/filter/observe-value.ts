/**
 * Values of the flags of `hubble observe`: text in, the member of a FlowFilter out. All throw SyntaxError with hubble's
 * message for a value that makes no sense.
 */
import { OBSERVATION_POINTS } from '../../wire/event.ts';
import { reasonNumber } from '../../wire/reasons.ts';
import { VERDICTS } from '../flow.ts';
import type { EventTypeFilter, FlowFilter } from './flow-filter.ts';
import { parseIdentity, RESERVED_NAMES } from '../../wire/identities.ts';

/** Event types by the name that `--type` takes. */
export const EVENT_TYPES: Readonly<Record<string, number>> = {
  drop: 1,
  debug: 2,
  capture: 3,
  trace: 4,
  'policy-verdict': 5,
  recorder: 6,
  'trace-sock': 7,
  l7: 129,
  agent: 130,
};

/** A value that the filter itself checks. */
export function text(value: string): string {
  return value;
}

/** A FlowFilter as JSON. @param flag for the message */
export function raw(flag: string, json: string): FlowFilter {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // told below with the text
  }
  throw new SyntaxError(`invalid --${flag} flag: failed to decode '${json}': wanted a FlowFilter as JSON`);
}

/** A verdict by its Hubble name. */
export function verdict(value: string): string {
  if (VERDICTS.includes(value)) return value;
  throw new SyntaxError(`invalid --verdict value: ${value}`);
}

/** `POLICY_DENIED`, in any case. */
export function dropReason(value: string): string {
  if (value === '') throw new SyntaxError('empty --drop-reason-desc value');
  if (reasonNumber(value) < 0) throw new SyntaxError(`invalid --drop-reason-desc value: ${value}`);
  return value.toUpperCase();
}

/** `name`, `Kind/name` or `Kind/`. */
export function workload(value: string): { kind?: string; name?: string } {
  const slash = value.indexOf('/');
  const [kind, name] = slash < 0 ? ['', value] : [value.slice(0, slash), value.slice(slash + 1)];
  return { ...(kind === '' ? {} : { kind }), ...(name === '' ? {} : { name }) };
}

/** A reserved name or a number. */
export function identity(value: string): number {
  const number = parseIdentity(value);
  if (number >= 0) return number;
  const names = RESERVED_NAMES.slice(1).join(' ');
  throw new SyntaxError(`invalid security identity, expected one of [${names}] or a numeric value`);
}

const TCP_FLAGS = ['SYN', 'FIN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'NS'];

/** `SYN` or `SYN,ACK`: all of them. */
export function tcpFlags(value: string): Record<string, boolean> {
  const names = value.split(',').map((name) => name.toUpperCase());
  const stranger = names.findIndex((name) => !TCP_FLAGS.includes(name));
  if (stranger >= 0) throw new SyntaxError(`unknown tcp flag: ${value.split(',')[stranger]}`);
  return Object.fromEntries(names.map((name) => [name, true]));
}

/** `drop`, `trace:to-endpoint`, `drop:133`, `129`. */
export function eventType(value: string): EventTypeFilter {
  const colon = value.indexOf(':');
  const [name, sub] = colon < 0 ? [value, undefined] : [value.slice(0, colon), value.slice(colon + 1)];
  const type = Object.hasOwn(EVENT_TYPES, name) ? EVENT_TYPES[name] : parseNumber(name);
  if (type < 0) {
    throw new SyntaxError(`unable to parse type '${name}', not a known type name and unable to parse as numeric value`);
  }
  if (sub === undefined) return { type };
  const point = type === EVENT_TYPES['trace'] ? (OBSERVATION_POINTS as readonly string[]).indexOf(sub) : -1;
  const subType = point >= 0 ? point : parseNumber(sub);
  if (subType >= 0) return { type, match_sub_type: true, sub_type: subType };
  throw new SyntaxError(
    `unable to parse event sub-type '${sub}', not a known sub-type name and unable to parse as numeric value`,
  );
}

function parseNumber(digits: string): number {
  return /^\d{1,9}$/.test(digits) ? Number(digits) : -1;
}

/** A 64-bit number. */
export function ipTraceId(value: string): string {
  if (/^\d{1,20}$/.test(value)) return value;
  throw new SyntaxError(`invalid --ip-trace-id value: ${value}`);
}

/** `name:value` */
export function header(value: string): { key: string; value: string } {
  const colon = value.indexOf(':');
  if (colon < 0) throw new SyntaxError(`invalid http-header value "${value}", expected name:value`);
  return { key: value.slice(0, colon), value: value.slice(colon + 1) };
}

/** `ingress` or `egress`. */
export function direction(value: string): string {
  const name = value.toUpperCase();
  if (name === 'INGRESS' || name === 'EGRESS') return name;
  throw new SyntaxError(`${value.toLowerCase()}: invalid traffic direction, expected ingress or egress`);
}

/** `4`, `v4`, `ipv4`, the same with 6; anything else is frames without IP. */
export function ipVersion(value: string): string {
  const match = /^(?:ip)?v?([46])$/.exec(value.toLowerCase());
  return match === null ? 'IP_NOT_USED' : `IPv${match[1]}`;
}
