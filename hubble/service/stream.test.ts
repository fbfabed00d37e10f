/** What a client gets of a ring: where it begins, where it ends, and what it is told of what it lost. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import t from 'tap';
import { FakeSource } from '../../test/hubble/observer-source.ts';
import type { Envelope } from '../flow.ts';
import type { FlowsRequest } from '../ring.ts';
import { decodeEnvelope, encodeEnvelope } from '../message/envelope.ts';
import { GetFlowsRequestSchema } from '../proto/observer/observer_pb.ts';
import { Encodings } from './encodings.ts';
import { Stream, type StreamOptions } from './stream.ts';
import { streamRequestOf } from './stream-request.ts';
import { Turns } from './turns.ts';

const turns = new Turns();

type Asked = MessageInitShape<typeof GetFlowsRequestSchema>;

function streamOf(
  source: FakeSource,
  asked: Asked,
  matches: (envelope: Envelope) => boolean = () => true,
  history?: StreamOptions['history'],
) {
  const end = new AbortController();
  const stream = new Stream({
    ring: source.flows,
    request: streamRequestOf(create(GetFlowsRequestSchema, asked)),
    matches,
    encode: new Encodings(encodeEnvelope).of('binary', []),
    turns,
    ...(history && { history }),
    nowMs: source.nowMs,
    signal: end.signal,
  });
  return { batches: stream.batches(), end };
}

const wordOf = ({ flow, lost_events: lost }: Envelope) => flow?.uuid ?? `lost ${lost?.num_events_lost} ${lost?.source}`;

/** Everything that a stream that ends says, in words. */
async function wordsOf(source: FakeSource, asked: Asked, matches?: (envelope: Envelope) => boolean): Promise<string[]> {
  const words: string[] = [];
  for await (const batch of streamOf(source, asked, matches).batches)
    words.push(...batch.map((one) => wordOf(decodeEnvelope(one))));
  return words;
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

t.test('which flows a request is answered with', async (t) => {
  const source = new FakeSource(1023);
  source.fill(1000);
  const at = (i: number) => timestampFromMs(source.startedMs + 1 + i);
  t.same(await wordsOf(source, {}), numbers(0, 999), 'all');
  t.same(await wordsOf(source, { number: 3n }), numbers(997, 999), 'the last');
  t.same(await wordsOf(source, { number: 3n, first: true }), numbers(0, 2), 'the first');
  t.same(await wordsOf(source, { number: 2n ** 64n - 1n }), numbers(0, 999), 'hubble says it so for all');
  t.same(await wordsOf(source, { since: at(990) }), numbers(990, 999));
  t.same(await wordsOf(source, { until: at(5) }), numbers(0, 5));
  t.same(await wordsOf(source, { number: 3n, until: at(5) }), numbers(3, 5), 'the last three until then');
  t.same(await wordsOf(source, { since: at(10), until: at(12) }), numbers(10, 12));
  t.same(await wordsOf(source, { since: at(10), number: 2n }), numbers(10, 11), 'since counts from there');
  t.same(await wordsOf(source, { since: at(10), number: 2n, first: true }), numbers(10, 11));
  t.same(await wordsOf(source, { since: at(5000) }), []);
  const even = (envelope: Envelope) => Number(envelope.flow?.uuid) % 2 === 0;
  t.same(await wordsOf(source, { number: 3n }, even), ['994', '996', '998'], 'the last that match');
  t.same(await wordsOf(source, { number: 3n, first: true }, even), ['0', '2', '4']);
  t.same(await wordsOf(source, { number: 3n }, () => false), []);
  t.same(await wordsOf(new FakeSource(), {}), [], 'an empty ring');
});

t.test('lost events of the ring pass filters, times and counts', async (t) => {
  const source = new FakeSource();
  source.fill(3);
  source.flows.write({
    lost_events: { source: 'PERF_EVENT_RING_BUFFER', num_events_lost: '7' },
    time: '2020-01-01T00:00:00Z',
  });
  source.fill(3, 3);
  const lost = 'lost 7 PERF_EVENT_RING_BUFFER';
  t.same(await wordsOf(source, {}), ['0', '1', '2', lost, '3', '4', '5']);
  t.same(await wordsOf(source, {}, () => false), [lost]);
  t.same(await wordsOf(source, { number: 4n }), ['2', lost, '3', '4', '5']);
});

t.test('a request that follows goes on until its client goes', async (t) => {
  const source = new FakeSource();
  source.fill(10);
  const { batches, end } = streamOf(source, { follow: true });
  const first = batches.next();
  source.fill(2, 10);
  t.same(
    ((await first).value as Uint8Array[]).map((one) => wordOf(decodeEnvelope(one))),
    ['10', '11'],
    'only what is new',
  );
  const later = batches.next();
  end.abort(new Error('gone'));
  await t.rejects(later, /gone/);
  const back = streamOf(source, { follow: true, number: 2n });
  t.same(((await back.batches.next()).value as Uint8Array[]).length, 2, 'with a number, the last so many before');
  await back.batches.return(undefined);
  const until = streamOf(source, { follow: true, until: timestampFromMs(source.atMs + 1) });
  const over = until.batches.next();
  source.atMs += 2;
  source.fill(1, 20);
  t.equal((await over).done, true, 'it ends when its time is over');
});

t.test('a slow client is told what it lost, and then what is left', async (t) => {
  const source = new FakeSource(15);
  const { batches, end } = streamOf(source, { follow: true });
  const first = batches.next();
  await turns.next();
  source.fill(100);
  const words = ((await first).value as Uint8Array[]).map((one) => decodeEnvelope(one));
  t.same(words.map(wordOf).sort(), [...numbers(85, 99), 'lost 85 HUBBLE_RING_BUFFER'].sort());
  const { lost_events: lost } = words.find((one) => one.lost_events !== undefined)!;
  t.match(lost, { first: /^2026-/, last: /^2026-/ });

  source.fill(100, 100);
  const second = ((await batches.next()).value as Uint8Array[]).map((one) => wordOf(decodeEnvelope(one)));
  t.same(second, numbers(185, 199), 'within a second nothing more is said of losses');
  source.atMs += 1000;
  source.fill(100, 200);
  const third = ((await batches.next()).value as Uint8Array[]).map((one) => wordOf(decodeEnvelope(one)));
  t.ok(third.includes('lost 170 HUBBLE_RING_BUFFER'), 'then all at once');
  end.abort(new Error('gone'));
});

t.test('a slow client that lost an event of losses is told of those losses too', async (t) => {
  const source = new FakeSource(15);
  const { batches, end } = streamOf(source, { follow: true });
  const first = batches.next();
  await turns.next();
  source.fill(1);
  t.same(((await first).value as Uint8Array[]).length, 1);
  source.flows.write(source.flows.lost(1000));
  source.fill(99, 1);
  const words = ((await batches.next()).value as Uint8Array[]).map((one) => wordOf(decodeEnvelope(one)));
  t.ok(words.includes('lost 1084 HUBBLE_RING_BUFFER'), `1000, and 84 of 99 flows: ${words.join(', ')}`);
  end.abort(new Error('gone'));
});

t.test('a stream that does not follow says at its end what it lost', async (t) => {
  const source = new FakeSource(15);
  source.fill(15);
  const { batches } = streamOf(source, {});
  const first = batches.next();
  await turns.next();
  source.fill(100, 15);
  const words: string[] = [];
  for (let one = await first; one.done !== true; one = await batches.next()) {
    words.push(...one.value.map((bytes) => wordOf(decodeEnvelope(bytes))));
  }
  const told = words
    .filter((word) => word.startsWith('lost'))
    .reduce((sum, word) => sum + Number(word.split(' ')[1]), 0);
  const got = words.filter((word) => !word.startsWith('lost')).length;
  t.equal(told + got, 15, `${got} flows, ${told} lost`);
});

t.test('work is done in slices, and slices in turn', async (t) => {
  const source = new FakeSource(65_535);
  source.fill(10_000);
  const order: string[] = [];
  const slow = () => {
    for (const end = performance.now() + 0.02; performance.now() < end; );
    return false;
  };
  const scan = wordsOf(source, { number: 1n }, slow).then(() => order.push('scan'));
  const small = wordsOf(source, { number: 1n }).then(() => order.push('small'));
  await Promise.all([scan, small]);
  t.same(order, ['small', 'scan'], 'one that looks at everything does not delay one that does not');
});

t.test('requests that contradict themselves are refused', async (t) => {
  const refused = (asked: Asked) => () => streamRequestOf(create(GetFlowsRequestSchema, asked));
  t.throws(refused({ first: true, follow: true }), /first cannot be specified with follow/);
  t.throws(refused({ since: { seconds: 1n << 60n, nanos: 0 } }), /since: found/);
  t.throws(refused({ until: { seconds: 0n, nanos: -1 } }), /until: found/);
});

t.test('what the ring no longer holds comes out of the history', async (t) => {
  const source = new FakeSource(15);
  const all: Envelope[] = [];
  for (let i = 0; i < 100; i++) {
    source.fill(1, i);
    all.push(source.flows.at(i)!);
  }
  /** A history that has everything, as the question asks for it. */
  const asked: FlowsRequest[] = [];
  const history = async function* (before: number, request: FlowsRequest) {
    asked.push(request);
    const { number = Number.POSITIVE_INFINITY, first, sinceMs = 0, untilMs = Number.POSITIVE_INFINITY } = request;
    const inTime = all
      .slice(0, before)
      .filter((one) => Date.parse(one.time!) >= sinceMs && Date.parse(one.time!) <= untilMs);
    yield first === true ? inTime.slice(0, number) : number === 0 ? [] : inTime.slice(-number);
  };
  const at = (i: number) => timestampFromMs(source.startedMs + 1 + i);
  const words = async (request: Asked): Promise<string[]> => {
    const got: string[] = [];
    for await (const batch of streamOf(source, request, () => true, history).batches) {
      got.push(...batch.map((one) => wordOf(decodeEnvelope(one))));
    }
    return got;
  };
  t.same(await words({ number: 10n }), numbers(90, 99));
  t.same(asked, [], 'what the ring has is not looked for elsewhere');
  t.same(await words({ number: 40n }), numbers(60, 99));
  t.same(await words({}), numbers(0, 99));
  t.same(await words({ first: true, number: 5n }), numbers(0, 4));
  t.same(await words({ first: true, number: 95n }), numbers(0, 94), 'the history first, then the ring');
  t.same(await words({ since: at(50) }), numbers(50, 99));
  t.same(await words({ since: at(50), number: 3n }), numbers(50, 52));
  t.same(await words({ since: at(50), until: at(55) }), numbers(50, 55));
  t.same(await words({ since: at(92) }), numbers(92, 99));
});
