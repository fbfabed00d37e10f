/** Faults in reading and judging DNS: names that nobody judged, answers to nobody's question, one sender in the way of others. */
import type { Mutant } from './mutant.ts';

const MESSAGES = ['wire/dns/dns.test.ts'];
const RULES = ['l7proxy/dns/rules.test.ts'];
const DATAGRAMS = ['l7proxy/dns/datagrams.test.ts'];
const STREAMS = ['l7proxy/dns/stream.test.ts'];

export const DNS: readonly Mutant[] = [
  {
    name: 'dns-second-question',
    fault: 'of several questions the first is judged, and all go on',
    file: 'wire/dns/message.ts',
    was: 'if (questions !== 1) return QUESTION_COUNT;',
    is: 'if (questions === 0) return QUESTION_COUNT;',
    killedBy: [...MESSAGES, ...DATAGRAMS],
  },
  {
    name: 'dns-bytes-behind-the-end',
    fault: 'bytes behind the last record go on with a message',
    file: 'wire/dns/message.ts',
    was: 'return at === end ? 0 : TRAILING_BYTES;',
    is: 'return at <= end ? 0 : TRAILING_BYTES;',
    killedBy: [...MESSAGES, ...DATAGRAMS],
  },
  {
    name: 'dns-pointer-forward',
    fault: 'a name may point to what comes behind it',
    file: 'wire/dns/name.ts',
    was: 'return target < 0 || target >= at ? -1 : p + 2;',
    is: 'return target < 0 || target >= end ? -1 : p + 2;',
    killedBy: MESSAGES,
  },
  {
    name: 'dns-dot-in-a-label',
    fault: 'names with odd bytes are compared with patterns: a star takes a dot that stands in a label',
    file: 'l7proxy/dns/name-rules.ts',
    was: 'if (!name.isPlain) return false;',
    is: '',
    killedBy: RULES,
  },
  {
    name: 'dns-strangers-addresses',
    fault: 'an answer teaches addresses of names that were not asked for',
    file: 'wire/dns/answers.ts',
    was: 'u16(bytes, tail + 2) === CLASS_IN && this.#isWanted(bytes, start, end, at)',
    is: 'u16(bytes, tail + 2) === CLASS_IN && end > 0',
    killedBy: MESSAGES,
  },
  {
    name: 'dns-answer-twice',
    fault: 'an answer passes as often as it comes',
    file: 'l7proxy/dns/under-way.ts',
    was: 'rows[at + 2] -= 1 << COUNT_SHIFT;',
    is: '',
    killedBy: DATAGRAMS,
  },
  {
    name: 'dns-flood-in-one-table',
    fault: 'the queries of one endpoint displace those of another',
    file: 'l7proxy/dns/under-way.ts',
    was: 'const rows = this.#tableOf(owner.srcEndpoint);',
    is: 'const rows = this.#tableOf(0);',
    killedBy: DATAGRAMS,
  },
  {
    name: 'dns-answer-over-tcp-unasked',
    fault: 'over TCP an answer passes by its id alone',
    file: 'l7proxy/dns/stream.ts',
    was: 'this.#waiting[2 * i + 1] !== question) continue;',
    is: 'question === 1) continue;',
    killedBy: STREAMS,
  },
];
