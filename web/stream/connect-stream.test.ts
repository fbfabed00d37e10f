import t, { type Test } from 'tap';
import type { Envelope } from '../../hubble/flow.ts';
import { Frames, openFlows } from './connect-stream.ts';

const QUESTION = { number: 5, follow: true, whitelist: [{ verdict: ['DROPPED'] }], blacklist: [] };
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function frame(value: unknown, flags = 0): Uint8Array {
  const body = value instanceof Uint8Array ? value : text(value);
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = flags;
  new DataView(bytes.buffer).setUint32(1, body.length);
  bytes.set(body, 5);
  return bytes;
}
const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

function answering(t: Test, answer: (path: string, init: RequestInit) => Response | Promise<Response>) {
  const original = globalThis.fetch;
  t.teardown(() => (globalThis.fetch = original));
  globalThis.fetch = async (input, init) => answer(input as string, init ?? {});
}

async function all(signal = new AbortController().signal): Promise<Envelope[]> {
  const found: Envelope[] = [];
  for await (const batch of openFlows(QUESTION, signal)) found.push(...batch);
  return found;
}

t.test('frames come out whole, wherever the chunks end', (t) => {
  const whole = joined(frame({ node_name: 'a' }), frame({ node_name: 'ü'.repeat(300) }), frame({}, 2));
  for (const size of [1, 2, 5, 7, 1000]) {
    const frames = new Frames();
    const found: Envelope[] = [];
    for (let at = 0; at < whole.length; at += size) found.push(...frames.take(whole.slice(at, at + size)));
    t.same(found, [{ node_name: 'a' }, { node_name: 'ü'.repeat(300) }], `chunks of ${size}`);
    t.ok(frames.isEnded);
  }
  t.end();
});

t.test('what is no frame of flows is refused, before it is waited for', (t) => {
  const cases: Record<string, Uint8Array> = {
    'of 4 GiB': new Uint8Array([0, 255, 255, 255, 255]),
    compressed: frame({}, 1),
    'no JSON': frame(new Uint8Array([123])),
    'no object': frame(7),
  };
  for (const [name, bytes] of Object.entries(cases))
    t.throws(() => new Frames().take(bytes), { name: 'StreamError' }, name);
  t.end();
});

t.test('openFlows() asks as observer.proto has it, and ends where the server ends', async (t) => {
  answering(t, (path, { method, body, headers }) => {
    t.same([path, method], ['/observer.Observer/GetFlows', 'POST']);
    t.equal(new Headers(headers).get('content-type'), 'application/connect+json');
    t.same(Buffer.from((body as Uint8Array).subarray(5)).toString(), JSON.stringify(QUESTION));
    return new Response(joined(frame({ node_name: 'a' }), frame({}, 2)));
  });
  t.same(await all(), [{ node_name: 'a' }]);
});

t.test('each way to fail is a sentence, and says whether it is worth trying again', async (t) => {
  const refusal = frame({ error: { code: 'invalid_argument', message: 'bad label' } }, 2);
  const cases: [Response | Error, object][] = [
    [new TypeError('Failed to fetch'), { message: 'the agent does not answer', isRefused: false }],
    [new Response('', { status: 401 }), { message: 'the agent wants its token', isLocked: true }],
    [new Response('', { status: 503 }), { message: /status 503/, isRefused: false }],
    [new Response(new Uint8Array(refusal)), { message: 'bad label', isRefused: true }],
    [
      new Response(new Uint8Array(frame({ error: { code: 'unavailable' } }, 2))),
      { message: 'unavailable', isRefused: false },
    ],
    [new Response(new Uint8Array(frame({}).slice(0, 3))), { message: 'the stream of flows broke off' }],
  ];
  for (const [answer, wanted] of cases) {
    answering(t, () => (answer instanceof Error ? Promise.reject(answer) : answer));
    await t.rejects(all(), { name: 'StreamError', ...wanted });
  }
});

t.test('a stream that is given up fails as such', async (t) => {
  const stop = new AbortController();
  answering(t, () => {
    stop.abort();
    return Promise.reject(new DOMException('', 'AbortError'));
  });
  await t.rejects(all(stop.signal), { name: 'AbortError' });
});
