/** Content longer than what may be under way: it is not kept, and what was judged before and behind it is, in any weather. */
import t from 'tap';
import { Rig } from '../../test/stream/tcp-rig.ts';
import { type Weather, World } from '../../test/stream/tcp-world.ts';
import { OK_RULES, REFUSED } from '../../test/stream/transfers.ts';
import * as tcp from '../../wire/header/tcp.ts';

const STREAM_BYTES = 8192;
const BYTES = 5 * STREAM_BYTES;
/** More would be cut, which is no work for the fast path. */
const WINDOW = 8000;
const LIMIT_MS = 60_000;
const OUTAGE_MS = 300;
const SEEDS = 12;

const text = (letter: string) =>
  Array.from({ length: BYTES / 8 }, (_, i) => letter + String(i).padStart(7, '0')).join('');
const POST = `POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: ${BYTES}\r\n\r\n${text('u')}`;
const GET = 'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n';
const DOWNLOAD = `HTTP/1.1 200 OK\r\nContent-Length: ${BYTES}\r\n\r\n${text('d')}`;
const SHORT = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';

const smallRig = () => new Rig(OK_RULES, { streamBytes: STREAM_BYTES });

/** Requests that pass, with their answers; a refused one between them if wanted. */
interface Talk {
  readonly requests: readonly string[];
  readonly answers: readonly string[];
}

const UP: Talk = { requests: [POST, GET, POST], answers: [SHORT, SHORT, SHORT] };
const DOWN: Talk = { requests: [GET, POST, GET], answers: [DOWNLOAD, SHORT, DOWNLOAD] };
const REFUSED_BETWEEN: Talk = { requests: [POST, REFUSED, GET], answers: [SHORT, '', DOWNLOAD] };

/** @param diesAt share of the requests after which the process dies, 0 = it lives @returns how it ended */
function run(talk: Talk, seed: number, weather: Weather, diesAt: number): string {
  const rig = smallRig();
  // A window beyond what can be kept leads around the fast path, except inside long content.
  const window = seed % 6 === 5 ? 3 * STREAM_BYTES : WINDOW;
  const world = new World(seed, rig, weather, {
    timestamps: seed % 2 === 0,
    gso: seed % 3 === 0,
    sack: seed % 4 < 2,
    window,
  });
  const { client, server } = world;
  const passing = talk.requests.filter((_, i) => talk.answers[i] !== '');
  const answers = talk.answers.filter((answer) => answer !== '');
  const wanted = passing.join('');
  let answered = 0;
  let length = 0;
  let isDead = diesAt === 0;
  world.onTick = () => {
    for (; answered < passing.length && server.text.length >= length + passing[answered].length; answered++) {
      length += passing[answered].length;
      server.write(answers[answered]);
    }
    const seen = client.text.length + server.text.length;
    const all = wanted.length + answers.join('').length;
    if (!isDead && seen >= diesAt * all) {
      isDead = true;
      world.deadUntilMs = world.nowMs + OUTAGE_MS;
    } else if (world.deadUntilMs > 0 && world.nowMs === world.deadUntilMs) rig.restart();
  };
  client.connect();
  client.write(talk.requests.join(''));
  const last = answers[answers.length - 1];
  const isReset = () => client.isReset || server.isReset;
  const isOver = world.run(() => (answered === passing.length && client.text.endsWith(last)) || isReset(), LIMIT_MS);
  if (isReset()) return wanted.startsWith(server.text) ? 'reset' : 'the server read something else before a reset';
  if (!isOver) return `stands still: ${server.text.length} of ${wanted.length}, ${client.text.length}`;
  const denied = talk.answers.includes('') ? client.text.split('403 Forbidden').length - 1 : 0;
  if (denied !== talk.answers.length - answers.length) return 'no answer for who was refused';
  return server.text === wanted ? 'done' : 'the server read something else';
}

for (const [name, talk] of Object.entries({
  uploads: UP,
  downloads: DOWN,
  'a refused request between': REFUSED_BETWEEN,
})) {
  t.test(`long content arrives whole, in any weather: ${name}`, { timeout: 600_000 }, async (t) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const isFair = seed % 5 === 0;
      const weather = isFair
        ? { loss: 0, repeat: 0, corrupt: 0, maxDelayMs: 1 }
        : { loss: seed % 7, repeat: seed % 4, corrupt: seed % 3, maxDelayMs: 1 + (seed % 6) };
      t.equal(run(talk, seed, weather, 0), 'done', `seed ${seed}`);
      const outcome = run(talk, seed, weather, (seed % 10) / 10 + 0.05);
      t.ok(outcome === 'done' || outcome === 'reset', `seed ${seed}, killed: ${outcome}`);
    }
  });
}

/** In the middle of the content of a POST that was allowed: its head and four parts of the content have arrived. */
function inContent() {
  const rig = smallRig();
  const syn = { scale: 0, mss: 1000 };
  rig.client({ ...syn, seq: 99, flags: tcp.SYN });
  rig.server({ ...syn, seq: 499, ack: 100, flags: tcp.SYN | tcp.ACK });
  const head = Buffer.from(POST.slice(0, POST.indexOf('u0')));
  const contentAt = 100 + head.length;
  const part = (number: number, letter = 'u') => ({
    seq: contentAt + number * 1000,
    ack: 500,
    window: WINDOW,
    data: Buffer.from(letter.repeat(1000)),
  });
  const ack = (upTo: number) => rig.server({ seq: 500, ack: upTo, window: WINDOW });
  rig.client({ seq: 100, ack: 500, data: head });
  return { rig, head, contentAt, part, ack };
}

t.test('content is kept until what was judged has arrived, and no more then', async (t) => {
  const { rig, head, contentAt, part, ack } = inContent();
  rig.client(part(0));
  rig.client(part(1));
  t.not(rig.streams.pool.usedBytes, 0, 'the head is under way');
  rig.take();
  rig.client({ seq: 100, ack: 500, data: Buffer.from(head.toString().replace('/ok', '/no')) });
  t.equal(
    rig.take().toResponder[0].data.toString(),
    head.toString(),
    'repeated otherwise, it goes again as it was judged',
  );
  ack(contentAt);
  for (const number of [2, 3, 4]) t.equal(rig.client(part(number)), 0);
  t.equal(rig.streams.pool.usedBytes, 0, 'nothing is kept');
  t.equal(rig.take().toResponder.length, 3);
});

t.test('what is repeated of content that is not kept passes, of what was judged before it does not', async (t) => {
  const { rig, head, contentAt, part, ack } = inContent();
  rig.client(part(0));
  ack(contentAt);
  for (const number of [1, 2, 3]) rig.client(part(number));
  rig.take();
  t.equal(rig.client(part(2)), 0, 'content passes');
  t.equal(rig.take().toResponder[0].seq, contentAt + 2000);
  for (let i = 0; i < 40; i++) {
    rig.client({ seq: 100, ack: 500, data: Buffer.from(head.toString().replace('/ok', '/no')) });
    rig.client({ seq: contentAt - 10, ack: 500, data: Buffer.from('x'.repeat(500)) });
  }
  const { toResponder, toInitiator } = rig.take();
  t.ok(
    toResponder.every(({ data }) => data.length === 0),
    'nothing of what was judged goes again',
  );
  t.ok(
    toInitiator.length > 0 && toInitiator.every(({ ack: told }) => told === contentAt),
    'its sender is told that it arrived',
  );
  t.equal(rig.streams.table.count, 1, 'and may do so as often as it likes');
  rig.client({ ...part(3), data: Buffer.from('v'.repeat(3000)) });
  const after = rig.take().toResponder.map(({ seq, data }) => [seq, data.length]);
  t.strictSame(
    after,
    [
      [contentAt + 4000, 1000],
      [contentAt + 5000, 1000],
    ],
    'of one that goes on, what is new',
  );
});

t.test('no SYN tells a window beyond what is kept', async (t) => {
  const rig = smallRig();
  const syn = { scale: 3, mss: 1000, window: 60_000 };
  rig.client({ ...syn, seq: 99, flags: tcp.SYN });
  rig.server({ ...syn, seq: 499, ack: 100, flags: tcp.SYN | tcp.ACK });
  const { toResponder, toInitiator } = rig.take();
  t.strictSame(
    [...toResponder, ...toInitiator].map(({ window }) => window),
    [STREAM_BYTES, STREAM_BYTES],
  );
});

t.test('the window is told as it is while nothing is kept', async (t) => {
  const { rig, contentAt, part, ack } = inContent();
  const told = () => rig.take().toInitiator.map(({ window }) => window);
  const wide = (upTo: number) => rig.server({ seq: 500, ack: upTo, window: 50_000 });
  rig.client(part(0));
  rig.take();
  wide(contentAt);
  t.strictSame(told(), [STREAM_BYTES]);
  rig.client(part(1));
  rig.take();
  wide(contentAt + 1000);
  t.strictSame(told(), [50_000]);
  let number = 2;
  for (; (number + 1) * 1000 <= BYTES; number++) {
    ack(contentAt + number * 1000);
    rig.client(part(number));
  }
  rig.take();
  wide(contentAt + number * 1000);
  t.strictSame(told(), [STREAM_BYTES]);
});

t.test('the end of long content is kept, and what is judged behind it', async (t) => {
  const { rig, contentAt, part, ack } = inContent();
  rig.client(part(0));
  let number = 1;
  for (; (number + 1) * 1000 <= BYTES; number++) {
    ack(contentAt + number * 1000);
    rig.client(part(number));
  }
  t.not(rig.streams.pool.usedBytes, 0, 'the end of the content');
  const rest = BYTES - number * 1000;
  const next = { seq: contentAt + number * 1000, ack: 500, data: Buffer.from('u'.repeat(rest) + GET) };
  t.equal(rig.client(next), 0);
  rig.take();
  rig.client({ ...next, data: Buffer.from('u'.repeat(rest) + GET.replace('/ok', '/no')) });
  t.equal(rig.take().toResponder[0].data.toString(), next.data.toString(), 'as it was judged');
});
