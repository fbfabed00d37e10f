/**
 * Names that carry something out: many different ones of one domain, or some with long labels that look random. Asked names
 * alone count. Names of the cluster and of addresses (`arpa`) do not: search lists and reverse look-ups make many of them.
 *
 * A label looks random when it has LABEL_CHARS, ENTROPY_BITS a character, and digits or consonants in a row as words lack them.
 * One such name means little (content networks have them), hence a threshold.
 */
import type { Flow } from '../flow.ts';
import { sourceText } from './attempt.ts';
import { seededHash, Windows } from './recent.ts';
import type { Making, Rule } from './rule.ts';

const LABEL_CHARS = 24;
const ENTROPY_BITS = 3.2;
const RANDOM_LETTERS = /[0-9]|[bcdfghjklmnpqrstvwxz]{6}/;
const SECOND_LEVEL = /^(?:ac|co|com|edu|gob|gov|mil|ne|net|nom|or|org)$/;

export class DnsNames implements Rule {
  readonly names = ['dns-random-names', 'dns-many-names'] as const;
  readonly #random: Windows;
  readonly #many: Windows;
  readonly #making: Making;

  constructor(making: Making) {
    this.#making = making;
    const { 'dns-random-names': random, 'dns-many-names': many, 'window-seconds': seconds } = making.limits;
    // Of those that are switched off none is used.
    this.#random = new Windows(Math.max(1, random), seconds * 1000);
    this.#many = new Windows(Math.max(1, many), seconds * 1000);
  }

  get forgotten(): number {
    return this.#random.forgotten + this.#many.forgotten;
  }

  take(flow: Flow, timeMs: number): void {
    const { dns, type } = flow.l7 ?? {};
    if (dns?.query === undefined || type !== 'REQUEST') return;
    const { clusterDomain, limits, seed } = this.#making;
    const name = dns.query.replace(/\.$/, '').toLowerCase();
    if ([clusterDomain, 'arpa'].some((domain) => name === domain || name.endsWith(`.${domain}`))) return;
    const domain = domainOf(name);
    if (name === domain) return;
    const subject = `${flow.IP?.source ?? ''} ${domain}`;
    const hash = seededHash(name, seed);
    const ways = [
      { rule: 'dns-many-names', table: this.#many, kind: 'names' },
      { rule: 'dns-random-names', table: this.#random, kind: 'names that look random' },
    ] as const;
    for (const { rule, table, kind } of ways) {
      const limit = limits[rule];
      if (limit === 0 || (rule === 'dns-random-names' && !hasRandomLabel(name, domain))) continue;
      if (!table.add(subject, hash, timeMs)) continue;
      const text = `${sourceText(flow)} asked for ${limit} ${kind} of ${domain} within ${limits['window-seconds']} s`;
      this.#making.tell({ rule, subject, text, flow });
    }
  }
}

/** What somebody registers: two labels, three where the second is a kind (`co.uk`). */
function domainOf(name: string): string {
  const labels = name.split('.');
  const [top = '', second = ''] = labels.slice(-2).reverse();
  return labels.slice(top.length === 2 && SECOND_LEVEL.test(second) ? -3 : -2).join('.');
}

function hasRandomLabel(name: string, domain: string): boolean {
  return name
    .slice(0, -domain.length - 1)
    .split('.')
    .some((label) => label.length >= LABEL_CHARS && RANDOM_LETTERS.test(label) && entropyOf(label) >= ENTROPY_BITS);
}

/** Bits a character. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
