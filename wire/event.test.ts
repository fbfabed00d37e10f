import t from 'tap';
import { randomFrom, SEED } from '../test/random.ts';
import * as event from './event.ts';
import { MATCH_L3_L4 } from './match.ts';

t.comment(`seed ${SEED}`);

t.test('event: what is written is read, and any 256 bytes are an event', (t) => {
  const bytes = new Uint8Array(3 * event.EVENT_BYTES).fill(0xee);
  const at = event.EVENT_BYTES;
  const frame = new Uint8Array(300).map((_, index) => index);
  event.begin(bytes, at, event.EVENT_POLICY_VERDICT, 0, 1700000000123.456);
  event.setSourceEndpoint(bytes, at, 10);
  event.setHash(bytes, at, 0xdeadbeef);
  event.setFlags(bytes, at, event.FLAG_IPV6 | event.FLAG_AUDITED);
  event.setIdentities(bytes, at, 1234, 0x1000001);
  event.setDestinationEndpoint(bytes, at, 65535);
  event.setDstPort(bytes, at, 8080);
  event.setVerdict(bytes, at, -133);
  event.setProtocol(bytes, at, 6);
  event.setDirection(bytes, at, 2);
  event.setMatchType(bytes, at, MATCH_L3_L4);
  event.setAuthType(bytes, at, 1);
  event.setCookies(bytes, at, 7, 0xffffffff);
  event.setIfindex(bytes, at, 42);
  event.setTraceReason(bytes, at, 3);
  event.capture(bytes, at, frame, 20, 250);
  const record = event.decodeEvent(bytes, at);
  t.match(record, {
    type: 5,
    subtype: 0,
    sourceEndpoint: 10,
    hash: 0xdeadbeef,
    originalBytes: 250,
    version: 1,
    flags: 3,
    srcIdentity: 1234,
    dstIdentity: 0x1000001,
    destinationEndpoint: 65535,
    dstPort: 8080,
    verdict: -133,
    protocol: 6,
    direction: 2,
    matchType: 2,
    authType: 1,
    cookie: 7,
    otherCookie: 0xffffffff,
    ifindex: 42,
    traceReason: 3,
    timeMs: 1700000000123.456,
  });
  t.same(record.payload, frame.subarray(20, 20 + event.PAYLOAD_BYTES));
  t.ok(
    bytes.subarray(0, at).every((b) => b === 0xee) && bytes.subarray(2 * at).every((b) => b === 0xee),
    'the neighbours are untouched',
  );
  const random = randomFrom(SEED + 6);
  for (let round = 0; round < 500; round++) {
    const any = new Uint8Array(event.EVENT_BYTES).map(() => random(256));
    const { payload } = event.decodeEvent(any, 0);
    if (payload.length > event.EVENT_BYTES - 4) t.fail('payload beyond the record');
  }
  t.equal(event.decodeEvent(new Uint8Array(0), 0).type, 0, 'even none');

  t.end();
});
