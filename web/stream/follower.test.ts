import { mock } from 'node:test';
import t, { type Test } from 'tap';
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { type FlowsQuestion, StreamError } from './connect-stream.ts';
import { Follower, type Listener } from './follower.ts';

const flow = (uuid: string) => ({ flow: { uuid } as unknown as Flow });

/** A follower whose streams the test feeds, with its clock. */
function following(t: Test) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const clock = { advance: (ms: number) => mock.timers.tick(ms) };
  const said: unknown[] = [];
  const ids = (flows: readonly Flow[]) => flows.map(({ uuid }) => uuid).join();
  const listener: Listener = {
    filled: (flows) => said.push(`filled ${ids(flows)}`),
    came: (flows) => said.push(`came ${ids(flows)}`),
    lost: ({ num_events_lost: count }) => said.push(`lost ${count}`),
    state: (state, problem, retryMs) =>
      said.push([state, problem, retryMs].filter((part) => part !== '' && part !== 0).join(' ')),
  };
  const streams: Feed[] = [];
  const open = (question: FlowsQuestion, signal: AbortSignal) => {
    const feed = new Feed(question, signal);
    streams.push(feed);
    return feed;
  };
  return { follower: new Follower(open, listener, () => 0), said, streams, clock };
}

class Feed implements AsyncIterable<Envelope[]> {
  readonly question: FlowsQuestion;
  readonly signal: AbortSignal;
  #next: ((result: IteratorResult<Envelope[]>) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(question: FlowsQuestion, signal: AbortSignal) {
    this.question = question;
    this.signal = signal;
    signal.addEventListener('abort', () => this.#fail?.(new DOMException('', 'AbortError')));
  }
  [Symbol.asyncIterator]() {
    return {
      next: () =>
        new Promise<IteratorResult<Envelope[]>>((resolve, reject) => {
          this.#next = resolve;
          this.#fail = reject;
        }),
    };
  }
  async give(...batch: Envelope[]) {
    this.#next!({ done: false, value: batch });
    await turn();
  }
  async fail(error: Error) {
    this.#fail!(error);
    await turn();
  }
  async end() {
    this.#next!({ done: true, value: undefined });
    await turn();
  }
}

const turn = async () => {
  for (let times = 0; times < 10; times++) await Promise.resolve();
};

t.test('a page that nobody looks at gives its stream up, and follows again what is wanted then', async (t) => {
  const { follower, said, streams, clock } = following(t);
  follower.follow({ allow: [], deny: [] });
  await turn();
  await streams[0].give(flow('a'));
  clock.advance(200);
  follower.rest(true);
  await turn();
  clock.advance(600_000);
  await turn();
  t.ok(streams[0].signal.aborted);
  t.equal(streams.length, 1, 'nothing is tried while it rests');
  follower.follow({ allow: [{ verdict: ['DROPPED'] }], deny: [] });
  follower.retry();
  await turn();
  t.equal(streams.length, 1, 'another query waits too');
  follower.rest(false);
  follower.rest(false);
  await turn();
  t.equal(streams.length, 2);
  t.match(streams[1].question, { whitelist: [{ verdict: ['DROPPED'] }] });
  await streams[1].give(flow('b'));
  clock.advance(200);
  t.same(said, ['connecting', 'live', 'filled a', 'connecting', 'live', 'filled b'], 'and no failure is told');
});

t.test('what was there comes in one piece, what follows as it comes', async (t) => {
  const { follower, said, streams, clock } = following(t);
  follower.follow({ allow: [{ verdict: ['DROPPED'] }], deny: [{ uuid: ['x'] }] });
  await turn();
  const [feed] = streams;
  t.match(feed.question, { follow: true, whitelist: [{ verdict: ['DROPPED'] }], blacklist: [{ uuid: ['x'] }] });
  await feed.give();
  await feed.give(flow('a'), flow('b'));
  clock.advance(100);
  await feed.give(flow('c'));
  clock.advance(149);
  t.notOk(said.some((one) => String(one).startsWith('filled')));
  clock.advance(1);
  await feed.give(flow('d'), { lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '7' } });
  t.same(said, ['connecting', 'live', 'live', 'live', 'filled a,b,c', 'came d', 'lost 7', 'live']);
});

t.test('a stream that never pauses is live after three seconds', async (t) => {
  const { follower, said, streams, clock } = following(t);
  follower.follow({ allow: [], deny: [] });
  await turn();
  for (let times = 0; times < 31; times++) {
    await streams[0].give(flow(String(times)));
    clock.advance(100);
  }
  await streams[0].give(flow('now'));
  t.ok(said.includes('came now'));
});

t.test('a stream that breaks is asked for again, later and later, and at once when told', async (t) => {
  const { follower, said, streams, clock } = following(t);
  follower.follow({ allow: [], deny: [] });
  await turn();
  await streams[0].fail(new StreamError('gone'));
  t.same(said, ['connecting', 'filled ', 'lost gone 500']);
  clock.advance(500);
  await turn();
  t.equal(streams.length, 2);
  await streams[1].fail(new StreamError('gone'));
  t.equal(said.at(-1), 'lost gone 1000');
  follower.retry();
  await turn();
  t.equal(streams.length, 3);
  await streams[2].give(flow('a'));
  await streams[2].end();
  t.equal(
    said.at(-1),
    'lost the agent ended the stream of flows 2000',
    'one that broke at its beginning has not worked',
  );
  t.equal(said.at(-2), 'filled a', 'but what it told is kept');
  follower.retry();
  await turn();
  await streams[3].give(flow('b'));
  clock.advance(150);
  await streams[3].end();
  t.equal(said.at(-1), 'lost the agent ended the stream of flows 500', 'one that worked begins anew');
});

t.test('a refused question waits for another query, which ends the stream before it', async (t) => {
  const { follower, said, streams, clock } = following(t);
  follower.follow({ allow: [], deny: [] });
  await turn();
  await streams[0].give(flow('old'));
  follower.follow({ allow: [{ uuid: ['b'] }], deny: [] });
  await turn();
  t.notOk(
    said.some((one) => /filled|lost/.test(String(one))),
    'nothing of the old query is told',
  );
  await streams[1].fail(new StreamError('bad', 'refused'));
  t.equal(said.at(-1), 'refused bad');
  clock.advance(1_000_000);
  await turn();
  t.equal(streams.length, 2);
});
