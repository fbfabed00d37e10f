// Access-log records: what is written is read, how it is bounded, and that any bytes are read without harm. SEED=n repeats a run.
import fc from 'fast-check';
import t from 'tap';
import { recordsOf } from '../test/l7-records.ts';
import { randomFrom, SEED } from '../test/random.ts';
import { OneRecord, whole } from '../test/told.ts';
import type { AccessLog } from './access-log.ts';
import * as event from './event.ts';
import * as form from './l7-record.ts';
import { readAccessLog } from './l7-record-reader.ts';

t.comment(`seed ${SEED}`);

const ENDS = {
  SourceEndpoint: { IPv4: '10.0.0.1', Port: 41000 },
  DestinationEndpoint: { IPv6: 'fd00::2', Port: 65535 },
};
const HTTP = { Method: 'GET', URL: 'http://api/x?y=1', Protocol: 'HTTP/1.1' };

const LOGS: Readonly<Record<string, AccessLog>> = {
  request: {
    Type: 'Request',
    Verdict: 'Forwarded',
    ...ENDS,
    HTTP: { ...HTTP, Headers: { Accept: ['a', 'b'], 'X-A': [''] } },
  },
  'an edited request': {
    Type: 'Request',
    Verdict: 'Denied',
    ...ENDS,
    HTTP: { Code: 403, ...HTTP, MissingHeaders: { 'X-B': ['1'] }, RejectedHeaders: { 'X-C': ['2', '3'] } },
  },
  response: {
    Type: 'Response',
    Verdict: 'Forwarded',
    LatencyNs: 12_345_678_901,
    ...ENDS,
    HTTP: { Code: 200, ...HTTP },
  },
  'a tunnel that ended': {
    Type: 'Sample',
    Verdict: 'Forwarded',
    LatencyNs: 1,
    ...ENDS,
    Carried: { FromClient: 2 ** 40, ToClient: 3 },
    HTTP,
  },
  error: { Type: 'Request', Verdict: 'Error', ...ENDS, Info: 'bad-target', HTTP: { Code: 400, ...HTTP } },
  query: {
    Type: 'Request',
    Verdict: 'Forwarded',
    ...ENDS,
    DNS: { Query: 'a\\.b.ok.', ObservationSource: 'proxy', QTypes: ['A'] },
  },
  answer: {
    Type: 'Response',
    Verdict: 'Forwarded',
    ...ENDS,
    DNS: {
      Query: 'a.ok.',
      ObservationSource: 'proxy',
      QTypes: ['HTTPS'],
      RCode: 3,
      IPs: ['192.0.2.1', '2001:db8::1'],
      TTL: 2 ** 31 - 1,
      CNAMEs: ['b.ok.', '.'],
      AnswerTypes: ['CNAME', 'TYPE65000'],
    },
  },
  kafka: {
    Type: 'Request',
    Verdict: 'Denied',
    ...ENDS,
    Kafka: { APIKey: 'fetch', APIVersion: 13, CorrelationID: -5, ErrorCode: 29, Topic: 'orders' },
  },
  'an answer of Kafka': {
    Type: 'Response',
    Verdict: 'Forwarded',
    ...ENDS,
    Kafka: { APIKey: 'produce', APIVersion: 0, CorrelationID: 7 },
  },
  tls: { Type: 'Request', Verdict: 'Forwarded', ...ENDS, TLS: { SNI: 'www.example' } },
  'another protocol': {
    Type: 'Request',
    Verdict: 'Denied',
    ...ENDS,
    L7: { Proto: 'lines', Fields: { line: 'GET', a: 'b' } },
  },
};

t.test('what is written is read', (t) => {
  for (const [name, log] of Object.entries(LOGS)) t.same(readAccessLog(whole(recordsOf(log))), log, name);
  t.end();
});

/** A record with one field of so many bytes. */
function ofLength(length: number, mostSlots = form.MAX_RECORD_SLOTS): event.EventRecord[] {
  return recordsOf({ Type: 'Request', Verdict: 'Forwarded', ...ENDS, TLS: { SNI: 'x'.repeat(length) } }, mostSlots);
}

t.test('a record takes as many slots as it needs, and none more than it may', (t) => {
  const inOne = event.PAYLOAD_BYTES - form.FIXED_BYTES - form.FIELD_HEADER_BYTES;
  const most = form.MAX_FIELD_BYTES - form.FIELD_HEADER_BYTES;
  for (const [length, slots, told] of [
    [inOne, 1, inOne],
    [inOne + 1, 2, inOne + 1],
    [inOne + form.PART_BYTES, 2, inOne + form.PART_BYTES],
    [inOne + form.PART_BYTES + 1, 3, inOne + form.PART_BYTES + 1],
    [most, form.MAX_RECORD_SLOTS, most],
    [most + 1, form.MAX_RECORD_SLOTS, most],
    [61_440, form.MAX_RECORD_SLOTS, most],
  ]) {
    const records = ofLength(length);
    t.equal(records.length, slots, `${length} bytes`);
    const log = readAccessLog(whole(records));
    t.equal(log?.TLS?.SNI.length, told);
    t.equal(log?.IsCut === true, told < length);
  }
  const one = ofLength(5000, 1);
  t.equal(one.length, 1);
  t.match(readAccessLog(whole(one)), { IsCut: true, TLS: { SNI: 'x'.repeat(inOne) } });
  t.end();
});

t.test('a record that is not to be told goes nowhere, and its end is that of no other', (t) => {
  const ring = new OneRecord();
  const record = new form.L7RecordWriter(ring);
  record.begin(0, form.L7_TLS, form.TYPE_REQUEST, form.VERDICT_DENIED, 0);
  record.text(form.FIELD_SERVER_NAME, 'x'.repeat(10_000));
  t.equal(record.end(), 0);
  t.equal(ring.slots, 0);
  record.begin(1, form.L7_TLS, form.TYPE_REQUEST, form.VERDICT_DENIED, 0).text(form.FIELD_SERVER_NAME, 'a');
  t.equal(record.end(), 1);
  t.notOk(record.isCut);
  t.equal(ring.slots, 1);
  t.end();
});

t.test('a block leaves out what has no room, and cuts what is longer than it may be', (t) => {
  const block = new form.FieldBlock(20);
  const bytes = new TextEncoder().encode('0123456789abcdef');
  block.field(form.FIELD_NAME, bytes, 0, 4, 10);
  block.field(form.FIELD_VALUE, bytes, 0, 16, 11);
  t.ok(block.isCut, 'eleven and three do not fit behind seven');
  t.equal(block.end, 7);
  block.field(form.FIELD_VALUE, bytes, 0, 16, 10);
  t.equal(block.end, 20, 'ten do');
  t.same(block.bytes.subarray(7, 12), [form.FIELD_VALUE, 10, 0, 48, 49]);
  block.clear();
  t.notOk(block.isCut);
  t.end();
});

t.test('whatever bytes a head has, they are told as they came', (t) => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  const property = fc.property(
    bytes,
    bytes,
    fc.array(fc.tuple(bytes, bytes), { maxLength: 20 }),
    (host, path, headers) => {
      const ring = new OneRecord();
      const record = new form.L7RecordWriter(ring).begin(form.MAX_RECORD_SLOTS, form.L7_HTTP, 1, 1, 0);
      record.field(form.FIELD_HOST, host, 0, host.length);
      record.field(form.FIELD_PATH, path, 0, path.length);
      for (const [name, value] of headers) {
        record.field(form.FIELD_NAME, name, 0, name.length);
        record.field(form.FIELD_VALUE, value, 0, value.length);
      }
      record.end();
      const log = readAccessLog(whole(ring.take()));
      const latin1 = (part: Uint8Array) => Buffer.from(part).toString('latin1');
      const slash = latin1(path).startsWith('/') ? '' : '/';
      const values = Object.values(log?.HTTP?.Headers ?? {}).flat();
      const sent = headers.map(([, value]) => latin1(value));
      return (
        log?.HTTP?.URL === `http://${latin1(host)}${slash}${latin1(path)}` &&
        (log.IsCut === true || [...values].sort().join('\n') === [...sent].sort().join('\n'))
      );
    },
  );
  fc.assert(property, { seed: SEED, numRuns: 300 });
  t.end();
});

t.test('any bytes are read: nothing is thrown, and nothing beyond the record is told', (t) => {
  const random = randomFrom(SEED + 9);
  const slots = Object.values(LOGS).map((log) => recordsOf(log));
  let read = 0;
  for (let round = 0; round < 20_000; round++) {
    const { payload, ...rest } = whole(slots[random(slots.length)]);
    const mutated = payload.slice(0, random(4) === 0 ? random(payload.length + 1) : payload.length);
    for (let i = random(6); i > 0 && mutated.length > 0; i--) mutated[random(mutated.length)] = random(256);
    const log = readAccessLog({ ...rest, payload: mutated });
    if (log !== undefined) read++;
    // JSON has at most six characters for a byte, and a character for it; names of types and addresses are longer than that.
    const most = 2000 + mutated.length * 60;
    if (JSON.stringify(log ?? null).length > most) t.fail(`round ${round}: told too much`);
  }
  t.ok(read > 10_000, `${read} of 20000 were read`);
  t.end();
});
