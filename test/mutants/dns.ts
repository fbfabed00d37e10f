/** Faults in reading and judging DNS: names that nobody judged, answers to nobody's question, one sender in the way of others. */
import type { Mutant } from './mutant.ts';

const MESSAGES = ['wire/dns/dns.test.ts'];
const RULES = ['l7proxy/dns/rules.test.ts'];
const DATAGRAMS = ['l7proxy/dns/datagrams.test.ts'];
const STREAMS = ['l7proxy/dns/stream.test.ts'];
const TEACHING = ['l7proxy/dns/teaching.test.ts'];
const HELD = ['l7proxy/dns/held.test.ts'];
const HELD_STREAMS = ['l7proxy/dns/held-stream.test.ts'];
const EVENTS = ['policy-maps/dns-events.test.ts'];
const HELD_DATAGRAMS = ['l7proxy/datagram/datagrams.test.ts'];

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
    name: 'dns-several-datagrams',
    fault:
      'a frame that is cut into several datagrams is judged as one message: what follows a boundary is read by nobody',
    file: 'l7proxy/datagram/datagrams.ts',
    was: 'if (areSeveral(frame)) {',
    is: 'if (areSeveral(frame) && frame.length === 0) {',
    killedBy: HELD_DATAGRAMS,
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
  {
    name: 'unlearnt-beside-a-known-one',
    fault: 'an answer goes on when one of its addresses is published',
    file: 'l7proxy/dns/teaching.ts',
    was: 'if (endSec <= this.#nowSec) return false;',
    is: 'if (endSec > this.#nowSec) return true;',
    killedBy: TEACHING,
  },
  {
    name: 'unlearnt-after-its-end',
    fault: 'an address that policies are about to forget is taken for published',
    file: 'l7proxy/dns/teaching.ts',
    was: 'if (endSec <= this.#nowSec) return false;',
    is: 'if (endSec === 0) return false;',
    killedBy: TEACHING,
  },
  {
    name: 'unlearnt-when-the-ring-is-full',
    fault: 'an answer that the agent cannot be asked about goes on',
    file: 'l7proxy/dns/teaching.ts',
    was: `      return this.refuse(CAUSE_RING_FULL);
    }`,
    is: `      return GO;
    }`,
    killedBy: TEACHING,
  },
  {
    name: 'unlearnt-one-asker-fills-the-ring',
    fault: 'who looks up new names without end takes the lookups of others',
    file: 'l7proxy/dns/teaching.ts',
    was: 'this.#shares.usedBy(srcEndpoint) + records <= most && ',
    is: 'most > 0 && ',
    killedBy: [...TEACHING, ...HELD],
  },
  {
    name: 'unlearnt-past-its-time',
    fault: 'an answer that waited in vain goes on',
    file: 'l7proxy/dns/datagrams.ts',
    was: 'if (isPublished) return this.#pass(owner, bytes, start, end);',
    is: 'if (isPublished || !mayWait) return this.#pass(owner, bytes, start, end);',
    killedBy: HELD,
  },
  {
    name: 'unlearnt-without-room',
    fault: 'an answer that cannot be kept goes on',
    file: 'l7proxy/dns/datagrams.ts',
    was: `this.#services.teaching?.refuse(CAUSE_MEMORY_FULL);
    return this.#replace(`,
    is: `this.#services.teaching?.refuse(CAUSE_MEMORY_FULL);
    return this.#pass(`,
    killedBy: HELD,
  },
  {
    name: 'unlearnt-past-its-time-over-tcp',
    fault: 'over TCP an answer that waited in vain goes on',
    file: 'l7proxy/dns/answers-ahead.ts',
    was: 'return nowMs < this.#deadlines[this.#head] ? WAIT : REFUSE;',
    is: 'return nowMs < this.#deadlines[this.#head] ? WAIT : GO;',
    killedBy: HELD_STREAMS,
  },
  {
    name: 'unlearnt-overtaken',
    fault: 'over TCP bytes of an answer that waits go on for one behind it that may go',
    file: 'l7proxy/dns/stream.ts',
    was: 'if (what === WAIT || this.#ahead.count > 0)',
    is: 'if (what === WAIT)',
    killedBy: HELD_STREAMS,
  },
  {
    name: 'unlearnt-after-a-restart',
    fault: 'a connection of which an answer waits goes on after the death of the process',
    file: 'l7proxy/dns/stream.ts',
    was: 'return this.#count === 0 && this.#ahead.count === 0;',
    is: 'return this.#count === 0;',
    killedBy: HELD_STREAMS,
  },
  {
    name: 'unlearnt-one-number-early',
    fault: 'an answer goes on when the one before it is published',
    file: 'policy-maps/dns-events.ts',
    was: 'return ((this.published - sequence) | 0) >= 0;',
    is: 'return ((this.published - sequence) | 0) >= -1;',
    killedBy: [...EVENTS, ...TEACHING],
  },
  {
    name: 'dns-events-overwritten',
    fault: 'answers that the agent has not kept are overwritten by later ones',
    file: 'policy-maps/dns-events.ts',
    was: 'if (records > this.free) return false;',
    is: '',
    killedBy: EVENTS,
  },
  {
    name: 'dns-events-begin-at-zero',
    fault: 'in a ring that was made anew all answers are published, by the word of the one before it',
    file: 'policy-maps/dns-events.ts',
    was: 'if (ring.since(this.acknowledged) < 0 || ring.since(published) < 0) {',
    is: 'if (ring.committed > 0 && ring.since(published) < 0) {',
    killedBy: EVENTS,
  },
  {
    name: 'held-into-another-conversation',
    fault: 'an answer that was held goes to whoever has its row by now',
    file: 'l7proxy/datagram/datagrams.ts',
    was: 'const isHere = this.#rows.generation(owner.slot) === owner.slotGeneration;',
    is: 'const isHere = true;',
    killedBy: HELD_DATAGRAMS,
  },
];
