/** Header conditions of HTTP rules, and the edits that their mismatch actions ask for (headerMatches). */
import type { HeaderMatch, HttpRule } from '../../policy-maps/l7-rules.ts';
import type { Head } from '../http1/head.ts';

export interface HeaderCondition {
  /** Lower case. */
  readonly name: string;
  /** Exact value wanted; null = the header is present. */
  readonly value: string | null;
  readonly mismatch: '' | 'LOG' | 'ADD' | 'DELETE' | 'REPLACE';
  /** The value is from a secret: neither it nor what a request has in its place is told. */
  readonly isSecret: boolean;
}

/** What is to be changed in a head, and told of it. */
export interface HeaderEdits {
  /** Lower-case names whose lines go. */
  readonly remove: Set<string>;
  /** Lines to be added, `Name: value`. */
  readonly add: string[];
  readonly missing: Record<string, string[]>;
  readonly rejected: Record<string, string[]>;
}

/** Headers that frame the message or name its target: no policy may edit them, for the judgement rests on them. */
const UNTOUCHABLE = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'expect', 'te']);

const HYPHEN = 45;
const UNDERSCORE = 95;

/** In records, in the place of what is not told. */
export const UNTOLD = '[redacted]';

const UPGRADE_HEADERS = ['upgrade', 'http2-settings'];

/** Compiles both header lists of a rule. @returns undefined when one cannot be obeyed: then the rule matches nothing */
export function compileHeaders(rule: HttpRule): HeaderCondition[] | undefined {
  const conditions: HeaderCondition[] = [];
  for (const text of rule.headers ?? []) {
    const found = /^([^\s:]+)(?:[:\s]\s*(.*))?$/s.exec(text.trim());
    if (found === null) return undefined;
    const value = found[2] === undefined || found[2] === '' ? null : found[2].replace(/^:\s*/, '');
    conditions.push({ name: found[1].toLowerCase(), value, mismatch: '', isSecret: false });
  }
  for (const match of rule.headerMatches ?? []) {
    const condition = compileMatch(match);
    if (condition === undefined) return undefined;
    conditions.push(condition);
  }
  return conditions;
}

function compileMatch(match: HeaderMatch): HeaderCondition | undefined {
  const mismatch = match.mismatch ?? '';
  const name = match.name.toLowerCase();
  const value = match.value ?? null;
  const isEdit = mismatch === 'ADD' || mismatch === 'DELETE' || mismatch === 'REPLACE';
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return undefined;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get into a head
  if (value !== null && /[\x00-\x08\x0a-\x1f\x7f]/.test(value)) return undefined;
  if (isEdit && UNTOUCHABLE.has(name)) return undefined;
  if (match.secret !== undefined) return undefined; // its value should stand in its place
  return { name, value, mismatch, isSecret: match.isSecret === true };
}

/** Values of all headers called `name`, joined as Envoy does; undefined when there is none. */
export function headerValue(bytes: Uint8Array, head: Head, name: string): string | undefined {
  let joined: string | undefined;
  for (let i = 0; i < head.headerCount; i++) {
    if (!isName(bytes, head, i, name)) continue;
    const value = latin1(bytes, head.valueStart[i], head.valueEnd[i]);
    joined = joined === undefined ? value : `${joined},${value}`;
  }
  return joined;
}

function isName(bytes: Uint8Array, head: Head, index: number, lowered: string): boolean {
  const start = head.nameStart[index];
  if (head.nameEnd[index] - start !== lowered.length) return false;
  for (let i = 0; i < lowered.length; i++) {
    const byte = bytes[start + i];
    const folded = byte >= 65 && byte <= 90 ? byte + 32 : byte;
    if (folded !== lowered.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * Whether a header is there whose name differs from `lowered` in `_` and `-` only. Servers that hand headers on as variables
 * (CGI, WSGI, FastCGI) take both for one, and which of the values counts is theirs to say.
 */
export function hasLookalike(bytes: Uint8Array, head: Head, lowered: string): boolean {
  for (let i = 0; i < head.headerCount; i++) {
    if (differsInDashes(bytes, head.nameStart[i], head.nameEnd[i], lowered)) return true;
  }
  return false;
}

/** Whether Connection names the header: an intermediary behind takes it away, and no server sees what was judged or put in (RFC 9110 7.6.1). */
export function isHopHeader(bytes: Uint8Array, head: Head, lowered: string): boolean {
  if (!head.namesHopHeaders) return false;
  const options = (headerValue(bytes, head, 'connection') ?? '').toLowerCase().split(/[,\s]+/);
  return options.includes(lowered);
}

/** Whether a trailer has the name of a header that is judged, or a lookalike: servers that put both together read the trailer. */
export function isJudgedName(bytes: Uint8Array, from: number, to: number, names: ReadonlySet<string>): boolean {
  if (names.size === 0) return false;
  const name = latin1(bytes, from, to).toLowerCase().replaceAll('_', '-');
  for (const judged of names) if (name === judged.replaceAll('_', '-')) return true;
  return false;
}

function differsInDashes(bytes: Uint8Array, start: number, end: number, lowered: string): boolean {
  if (end - start !== lowered.length) return false;
  let differs = false;
  for (let i = 0; i < lowered.length; i++) {
    const byte = bytes[start + i];
    const folded = byte >= 65 && byte <= 90 ? byte + 32 : byte;
    const wanted = lowered.charCodeAt(i);
    if (folded === wanted) continue;
    if (!isDash(folded) || !isDash(wanted)) return false;
    differs = true;
  }
  return differs;
}

function isDash(byte: number): boolean {
  return byte === HYPHEN || byte === UNDERSCORE;
}

/** Whether any header name has an underscore. */
export function hasUnderscore(bytes: Uint8Array, head: Head): boolean {
  for (let i = 0; i < head.headerCount; i++) {
    for (let p = head.nameStart[i]; p < head.nameEnd[i]; p++) if (bytes[p] === UNDERSCORE) return true;
  }
  return false;
}

/** Whether `value` meets the condition. The comparison takes as long for a wrong value as for the right one. */
export function meets(condition: HeaderCondition, value: string | undefined): boolean {
  if (value === undefined) return false;
  if (condition.value === null) return true;
  if (value.length !== condition.value.length) return false;
  let difference = 0;
  for (let i = 0; i < value.length; i++) difference |= value.charCodeAt(i) ^ condition.value.charCodeAt(i);
  return difference === 0;
}

/** Notes what a condition that is not met and has an action asks for. */
export function noteMismatch(edits: HeaderEdits, condition: HeaderCondition, value: string | undefined): void {
  const { name, mismatch } = condition;
  const wanted = condition.value ?? '';
  const isRemoving = mismatch === 'DELETE' || mismatch === 'REPLACE';
  if (isRemoving && value !== undefined) {
    edits.remove.add(name);
    edits.rejected[name] = [condition.isSecret ? UNTOLD : value];
  }
  if (mismatch === 'DELETE') return;
  edits.missing[name] = [condition.isSecret ? UNTOLD : wanted];
  const line = `${name}: ${wanted}`;
  if (mismatch !== 'LOG' && !edits.add.includes(line)) edits.add.push(line);
}

/**
 * Takes out of a head every way in which it asks for another protocol than HTTP/1.1, as the receiver of a request may do
 * that does not want it (RFC 9110 7.8): the exchange goes on without.
 */
export function withholdUpgrade(bytes: Uint8Array, head: Head, edits: HeaderEdits): void {
  for (const name of ['connection', ...UPGRADE_HEADERS]) edits.remove.add(name);
  const options = (headerValue(bytes, head, 'connection') ?? '').split(',').map((option) => option.trim());
  const left = options.filter((option) => option !== '' && !UPGRADE_HEADERS.includes(option.toLowerCase()));
  if (left.length > 0) edits.add.push(`Connection: ${left.join(', ')}`);
}

/** The head of HTTP/1 with its lines edited. */
export function editHead(bytes: Uint8Array, head: Head, edits: HeaderEdits): Uint8Array {
  const lines = [latin1(bytes, head.methodStart, head.targetEnd) + ` HTTP/1.${head.minor}`];
  for (let i = 0; i < head.headerCount; i++) {
    const name = latin1(bytes, head.nameStart[i], head.nameEnd[i]);
    if (edits.remove.has(name.toLowerCase())) continue;
    lines.push(`${name}: ${latin1(bytes, head.valueStart[i], head.valueEnd[i])}`);
  }
  return Uint8Array.from(Buffer.from([...lines, ...edits.add, '', ''].join('\r\n'), 'latin1'));
}

/** Bytes [from, to) as text, one character a byte. */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}
