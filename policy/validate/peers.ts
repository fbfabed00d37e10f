/** Checks of the things that peers are written with: selectors, prefixes, names, ICMP types. */
import { joinPath } from '../document/document-path.ts';
import { type IcmpFamily, icmpNames, icmpType } from '../rule/icmp-types.ts';
import { parseKey } from '../rule/labels.ts';
import { nearest, quote } from '../rule/problems.ts';
import type { SelectorDocument } from '../rule/selector.ts';
import type { Reader } from '../document/reader.ts';
import { isDnsName, isLabelValue, isQualifiedName } from './names.ts';
import { contains, hasHostBits, parsePrefix, type Prefix } from '../../wire/prefix.ts';

/** @param hasSources whether keys may carry a source (`k8s:app`), as Cilium's do and Kubernetes' do not */
export function checkSelector(selector: SelectorDocument, path: string, reader: Reader, hasSources = true): void {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    const place = joinPath(`${path}.matchLabels`, key);
    checkLabelKey(key, place, reader, hasSources);
    if (!isLabelValue(value)) {
      reader.problem(
        place,
        'label-value',
        `read label ${quote(key)}: found value ${quote(value)}, wanted up to 63 letters, digits, '-', '_' or '.'`,
      );
    }
  }
  selector.matchExpressions?.forEach(({ key, operator, values = [] }, i) => {
    const place = `${path}.matchExpressions[${i}]`;
    checkLabelKey(key, `${place}.key`, reader, hasSources);
    const needsValues = operator === 'In' || operator === 'NotIn';
    if (needsValues && values.length === 0) {
      reader.problem(place, 'selector-values', `read ${operator}: found no values, wanted at least one`);
    } else if (!needsValues && values.length > 0) {
      reader.problem(`${place}.values`, 'selector-values', `read ${operator}: found values, wanted none`);
    }
    values.forEach((value, j) => {
      if (isLabelValue(value)) return;
      reader.problem(
        `${place}.values[${j}]`,
        'label-value',
        `read value: found ${quote(value)}, wanted up to 63 letters, digits, '-', '_' or '.'`,
      );
    });
  });
}

/**
 * `[source:][prefix/]name`. Cilium holds `source.prefix/name` to Kubernetes' grammar, so that neither `$host` nor ` k8s:role` is a
 * key. Those of cidr and fqdn labels have grammars of their own.
 */
function checkLabelKey(text: string, path: string, reader: Reader, hasSources: boolean): void {
  const { source, key } = hasSources ? parseKey(text, 'any') : { source: 'k8s', key: text };
  if (source === 'cidr' || source === 'fqdn' || source === 'cidrgroup') return;
  const isMarked = hasSources && (text.startsWith('$') || text.startsWith(':'));
  if (!isMarked && isQualifiedName(key) && isQualifiedName(source)) return;
  const wanted = "up to 63 letters, digits, '-', '_' or '.', optionally behind a DNS prefix and '/'";
  reader.problem(path, 'label-key', `read label key: found ${quote(text)}, wanted ${wanted}`);
}

/** @returns the prefix when it is valid */
export function checkCidr(text: string, path: string, reader: Reader): Prefix | undefined {
  try {
    const prefix = parsePrefix(text);
    if (hasHostBits(text)) {
      reader.warn(
        path,
        'host-bits',
        `read CIDR: found ${quote(text)} with bits beyond its length, wanted ${prefix.text}`,
        `it is taken as ${prefix.text}`,
      );
    }
    return prefix;
  } catch (error) {
    reader.problem(path, 'cidr', `read CIDR: ${(error as Error).message}`);
    return undefined;
  }
}

export function checkExcept(text: string, cidr: string | undefined, path: string, reader: Reader): void {
  const except = checkCidr(text, path, reader);
  const outer = cidr === undefined ? undefined : tryPrefix(cidr);
  if (except === undefined || outer === undefined || contains(outer, except)) return;
  const why = except.family !== outer.family ? 'another address family' : 'not inside it';
  reader.problem(path, 'except', `read except: found ${quote(text)}, ${why}, wanted a part of ${outer.text}`);
}

function tryPrefix(text: string): Prefix | undefined {
  try {
    return parsePrefix(text);
  } catch {
    return undefined;
  }
}

const FQDN_MAX = 255;

export function checkFqdn(fqdn: { matchName?: string; matchPattern?: string }, path: string, reader: Reader): void {
  const { matchName, matchPattern } = fqdn;
  if (!reader.isSound(path)) return;
  if (matchName !== undefined && matchPattern !== undefined) {
    reader.problem(path, 'fqdn', 'read name: found matchName and matchPattern, wanted one of them');
  }
  if ((matchName ?? '') === '' && (matchPattern ?? '') === '') {
    reader.problem(path, 'fqdn-empty', 'read name: found neither matchName nor matchPattern, wanted one of them');
    return;
  }
  checkName(matchName, false, `${path}.matchName`, reader);
  checkName(matchPattern, true, `${path}.matchPattern`, reader);
}

function checkName(text: string | undefined, hasStars: boolean, path: string, reader: Reader): void {
  if (text === undefined) return;
  if (text.length > FQDN_MAX) {
    reader.problem(path, 'fqdn-length', `read name: found ${text.length} characters, wanted at most ${FQDN_MAX}`);
  } else if (!isDnsName(text, hasStars)) {
    const stars = hasStars ? " and '*'" : '';
    const wanted = `letters, digits, '-', '_'${stars} with single dots between them`;
    reader.problem(path, 'fqdn-characters', `read name: found ${quote(text)}, wanted ${wanted}`, nameHint(text));
  }
}

/** What was taken for a name. */
function nameHint(text: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:\/\/|\//i.test(text)) return 'write the name alone, without scheme and path';
  if (/:\d+$/.test(text)) return 'write the name alone; the port belongs in toPorts';
  return text.includes('*') ? 'use matchPattern for names with *' : undefined;
}

const MAX_ICMP_FIELDS = 40;

export function checkIcmp(
  icmp: { readonly fields?: readonly { family?: IcmpFamily; type: number | string }[] },
  path: string,
  reader: Reader,
): void {
  const fields = icmp.fields ?? [];
  if (fields.length > MAX_ICMP_FIELDS) {
    reader.problem(
      `${path}.fields`,
      'too-many-icmps',
      `read icmps: found ${fields.length} fields, wanted at most ${MAX_ICMP_FIELDS}`,
    );
  }
  fields.forEach(({ family = 'IPv4', type }, i) => {
    if (icmpType(family, type) !== undefined) return;
    const near = typeof type === 'string' ? nearest(type, Object.keys(icmpNames(family))) : undefined;
    reader.problem(
      `${path}.fields[${i}].type`,
      'icmp-type',
      `read ICMP type: found ${quote(type)}, wanted 0 to 255 or a name of ${family}`,
      near !== undefined ? `did you mean ${quote(near)}?` : undefined,
    );
  });
}
