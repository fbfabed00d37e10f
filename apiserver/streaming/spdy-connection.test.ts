/** The server's end of SPDY, against a client over a real socket. */
import t from 'tap';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { randomFrom, SEED } from '../../test/random.ts';
import { KUBECTL_EXEC, SpdyClient, textOf } from '../../test/spdy-client.ts';
import { SpdyConnection, type SpdyOptions } from './spdy-connection.ts';
import { GOAWAY, RESET } from './spdy-frames.ts';
import type { SpdyStream } from './spdy-stream.ts';

interface Pair {
  readonly client: SpdyClient;
  readonly server: SpdyConnection;
  readonly opened: SpdyStream[];
}

/** A client and a server that know each other; both are gone at the end of the test. */
async function pair(t: Tap, options: Partial<SpdyOptions> = {}): Promise<Pair> {
  const opened: SpdyStream[] = [];
  let server: SpdyConnection | undefined;
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    server = new SpdyConnection(socket, {
      maxStreams: 3,
      accepts: () => true,
      onStream: (stream) => opened.push(stream),
      ...options,
    });
  });
  const port = await listen(listener);
  const client = new SpdyClient(connect(port, '127.0.0.1'));
  await once(listener, 'connection');
  t.teardown(async () => {
    client.socket.destroy();
    await server?.closed;
    listener.close();
  });
  return { client, server: server as SpdyConnection, opened };
}
type Tap = Pick<typeof t, 'teardown'>;

async function listen(listener: Server): Promise<number> {
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return (listener.address() as AddressInfo).port;
}

t.test('streams open, carry bytes both ways, and end one way at a time', async (t) => {
  const { client, opened } = await pair(t);
  const stream = client.open({ streamtype: 'data' });
  await client.until(() => stream.isReplied);
  t.strictSame([...opened[0].headers], [['streamtype', 'data']]);
  client.send(stream, Buffer.from('to the server'), true);
  const received: Buffer[] = [];
  opened[0].on('data', (bytes: Buffer) => received.push(bytes));
  await once(opened[0], 'end');
  t.equal(Buffer.concat(received).toString(), 'to the server');
  opened[0].end('and back');
  await client.until(() => stream.isEnded);
  t.equal(textOf(stream), 'and back');
  t.equal(stream.resetStatus, 0, 'both ends are done: nothing is to be reset');
});

t.test('destroy() resets a stream that the client is not done with; a reset of the client ends it here', async (t) => {
  const { client, opened } = await pair(t);
  const [first, second] = [client.open({}), client.open({})];
  await client.until(() => second.isReplied);
  opened[0].destroy();
  await client.until(() => first.isEnded);
  t.equal(first.resetStatus, RESET.CANCEL);
  const closed = once(opened[1], 'close');
  client.reset(second);
  await closed;
  client.send(second, Buffer.from('on its way when it was reset'));
  client.ping(1);
  await client.until(() => client.pongs.includes(1));
  t.equal(second.resetStatus, 0);
});

t.test('streams beyond the limit and those that nobody wants are refused, and make room when they end', async (t) => {
  const { client, opened } = await pair(t, { accepts: (headers) => headers.get('streamtype') !== 'bad' });
  const bad = client.open({ streamtype: 'bad' });
  const good = [client.open({}), client.open({}), client.open({}), client.open({})];
  await client.until(() => good[3].isEnded);
  t.strictSame([bad.resetStatus, ...good.map(({ resetStatus }) => resetStatus)], [3, 0, 0, 0, 3]);
  opened[0].resume();
  opened[0].end();
  client.send(good[0], Buffer.alloc(0), true);
  await once(opened[0], 'close');
  const next = client.open({});
  await client.until(() => next.isReplied);
  t.equal(next.resetStatus, 0);
});

t.test('a reader that is slow stops the client, and what is kept for it has a bound', async (t) => {
  const { client, opened } = await pair(t);
  const stream = client.open({});
  await client.until(() => stream.isReplied);
  const sent = 32 * 1024 * 1024;
  for (let bytes = 0; bytes < sent; bytes += 65536)
    client.send(stream, Buffer.alloc(65536, 120), bytes + 65536 === sent);
  const server = opened[0];
  while (server.readableLength < 128 * 1024) await new Promise(setImmediate);
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  t.ok(server.readableLength <= 256 * 1024, `${server.readableLength} bytes are kept`);
  t.ok(client.socket.writableLength > sent / 2, 'the rest stays with the client');
  let received = 0;
  for await (const bytes of server) received += (bytes as Buffer).length;
  t.equal(received, sent);
});

t.test('a client that is slow stops a writer', async (t) => {
  const { client, opened } = await pair(t);
  const stream = client.open({});
  await client.until(() => stream.isReplied);
  client.socket.pause();
  let written = 0;
  while (opened[0].write(Buffer.alloc(65536))) written += 65536;
  t.ok(written < 1024 * 1024, `${written} bytes were taken`);
  client.socket.resume();
  await once(opened[0], 'drain');
  opened[0].end();
  await client.until(() => stream.isEnded);
});

t.test('a client with much to read may open a stream meanwhile', async (t) => {
  const { client, opened } = await pair(t, { maxStreams: 41 });
  const streams = Array.from({ length: 40 }, () => client.open({}));
  await client.until(() => streams.every(({ isReplied }) => isReplied));
  client.socket.pause();
  for (const stream of opened) stream.end(Buffer.alloc(1024 * 1024));
  const late = client.open({});
  while (opened.length < 41) await new Promise(setImmediate);
  client.socket.resume();
  await client.until(() => late.isReplied && streams.every(({ isEnded }) => isEnded));
  t.ok(streams.every(({ bytes }) => Buffer.concat(bytes).length === 1024 * 1024));
});

t.test('pings are answered; a client that asks and does not read is left', async (t) => {
  const { client, server } = await pair(t);
  client.ping(7);
  client.ping(2); // the answer to one of ours
  client.ping(9);
  await client.until(() => client.pongs.length === 2);
  t.strictSame(client.pongs, [7, 9]);
  client.socket.pause();
  let isLeft = false;
  void server.closed.then(() => (isLeft = true));
  const pings = Buffer.alloc(12 * 4096, Buffer.from('800300060000000400000001', 'hex'));
  while (!isLeft) {
    client.socket.write(pings);
    await new Promise(setImmediate);
  }
  t.ok(isLeft);
});

t.test('close() says goodbye after all that was written', async (t) => {
  const { client, server, opened } = await pair(t);
  const stream = client.open({});
  await client.until(() => stream.isReplied);
  opened[0].end('last words');
  await once(opened[0], 'finish');
  void server.close();
  await client.until(() => client.goAway !== undefined);
  t.equal(textOf(stream), 'last words');
  t.equal(client.goAway, GOAWAY.OK);
});

for (const { name, bytes } of [
  { name: 'another version', bytes: '8002000600000004' + '00000001' },
  {
    name: 'an even stream',
    bytes: KUBECTL_EXEC.toString('hex', 0, 49).replace('00000001000000000000', '00000002000000000000'),
  },
  {
    name: 'the same stream twice',
    bytes: KUBECTL_EXEC.toString('hex', 0, 49) + KUBECTL_EXEC.toString('hex', 49, 80).replace('00000003', '00000001'),
  },
  { name: 'a short control frame', bytes: '8003000300000004' + '00000001' },
  { name: 'a type that there is not', bytes: '8003000b00000000' },
  { name: 'a broken header block', bytes: '800300010000001000000001000000000000' + '78f9e3c6a7c2' },
]) {
  t.test(`${name} ends the connection with GOAWAY`, async (t) => {
    const { client, server } = await pair(t);
    client.socket.write(Buffer.from(bytes, 'hex'));
    await server.closed;
    await client.until(() => client.goAway !== undefined).catch(() => {});
    t.equal(client.goAway, GOAWAY.PROTOCOL_ERROR);
  });
}

t.test('1,500 recordings with mistakes: every stream ends, nothing is thrown, nothing is left', async (t) => {
  const draw = randomFrom(SEED);
  t.comment(`seed ${SEED}`);
  const opened = new Set<SpdyStream>();
  let accepted = 0;
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    new SpdyConnection(socket, {
      maxStreams: 8,
      accepts: () => draw(4) > 0,
      onStream: (stream) => {
        accepted++;
        opened.add(stream.once('close', () => opened.delete(stream)));
        if (draw(2) === 0) stream.resume();
        if (draw(3) === 0) stream.end('answer');
        if (draw(9) === 0) stream.destroy();
      },
    });
  });
  const port = await listen(listener);
  for (let i = 0; i < 1500; i += 50) {
    await Promise.all(Array.from({ length: 50 }, () => converse(port, mistaken(draw))));
  }
  listener.close();
  await once(listener, 'close');
  t.equal(opened.size, 0);
  t.ok(accepted > 1500, `${accepted} streams were accepted`);
});

function mistaken(draw: (below: number) => number): Buffer {
  const bytes = Buffer.concat([KUBECTL_EXEC, KUBECTL_EXEC.subarray(49)]);
  for (let n = draw(4); n > 0; n--) bytes[draw(bytes.length)] = draw(3) === 0 ? 0xff : draw(256);
  return draw(5) === 0 ? bytes.subarray(0, draw(bytes.length)) : bytes;
}

/** Sends the bytes and leaves, once the server has said something or nothing. */
async function converse(port: number, bytes: Buffer): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}).resume();
  socket.end(bytes);
  await once(socket, 'close');
}
