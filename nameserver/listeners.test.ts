/** The ways of queries, with sockets on loopback: bursts, connections, and clients that mean no good. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { openInetSocket } from '../dataplane/native/inet.ts';
import { address, answer, query } from '../test/dns-messages.ts';
import { readAnswer } from '../test/dns-reading.ts';
import { type Played, playServer } from '../test/name-server.ts';
import { Connections, listenTcp } from './tcp-listener.ts';
import { UdpListener } from './udp-listener.ts';

const NAME = 'kubernetes.default.svc.cluster.local';
const PORTS = { udp: 15353, tcp: 15354 };

function listenUdp(test: Test): Played & { listener: UdpListener } {
  const played = playServer();
  const listener = new UdpListener(openInetSocket('udp', '127.0.0.1', PORTS.udp), played.server, played.counters);
  test.teardown(() => listener.close());
  return Object.assign(played, { listener });
}

function listenStreams(test: Test, limits = {}): Played & { connections: Connections } {
  const played = playServer();
  const connections = new Connections(played.counters, limits);
  const fd = openInetSocket('tcp', '127.0.0.1', PORTS.tcp);
  const listener = listenTcp(fd, played.server, { connections, onError: (error) => test.fail(error.message) });
  test.teardown(() => {
    listener.close();
    connections.close();
  });
  return Object.assign(played, { connections });
}

function framed(...messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((bytes) => {
      const head = Buffer.alloc(2);
      head.writeUInt16BE(bytes.length);
      return [head, bytes];
    }),
  );
}

/** A connection and the answers that it gets. */
async function client(test: Test, localAddress = '127.0.0.1') {
  const socket = connect({ port: PORTS.tcp, host: '127.0.0.1', localAddress });
  test.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  const answers: ReturnType<typeof readAnswer>[] = [];
  let received = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      answers.push(readAnswer(received.subarray(2, end)));
      received = received.subarray(end);
    }
  });
  return { socket, answers };
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const limit = Date.now() + 10_000;
  while (!isSo()) {
    if (Date.now() > limit) throw new Error(`waited for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
const closed = (socket: Socket) => socket.destroyed || socket.readableEnded;

t.test('a burst of datagrams: each gets its own answer, to where it came from', async (t) => {
  const played = listenUdp(t);
  const clients = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const socket = createSocket('udp4');
      t.teardown(() => socket.close());
      const answers: number[] = [];
      socket.on('message', (bytes) => answers.push(readAnswer(bytes).id));
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
      return { socket, answers };
    }),
  );
  for (let id = 0; id < 400; id++) clients[id % 4].socket.send(query(NAME, { id }), PORTS.udp, '127.0.0.1');
  await until('400 answers', () => clients.every(({ answers }) => answers.length === 100));
  for (const [i, { answers }] of clients.entries())
    t.strictSame(
      [...answers].sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, k) => 4 * k + i),
    );
  t.equal(played.counters.udpQueries, 400);
});

t.test('datagrams that are no query get nothing, and one that comes later goes where it was asked', async (t) => {
  const played = listenUdp(t);
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const answers: ReturnType<typeof readAnswer>[] = [];
  socket.on('message', (bytes) => answers.push(readAnswer(bytes)));
  const send = (bytes: Uint8Array) => socket.send(bytes, PORTS.udp, '127.0.0.1');
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(5), answer(NAME, []), Buffer.alloc(1281, 7)]) send(bytes);
  send(query('www.example.com', { id: 3 }));
  await until('the question', () => played.asked.length === 1);
  t.equal(played.asked[0].client.length, 4, 'the client is its address');
  played.counters.udpQueries = 0;
  send(query(NAME, { id: 4 }));
  await until('an answer', () => answers.length === 1);
  played.listener.deafen(); // as when it is to end: what was asked before is answered
  played.resolve(answer('www.example.com', [address('www.example.com', '192.0.2.1')]));
  await until('the other answer', () => answers.length === 2);
  t.match(answers, [{ id: 4 }, { id: 3, answers: ['www.example.com. 60 A 192.0.2.1'] }]);
  t.equal(played.counters.dropped, 4);
});

t.test('a connection: several queries in one piece and in many, answers as they are known', async (t) => {
  const played = listenStreams(t);
  const { socket, answers } = await client(t);
  const bytes = framed(query('slow.example', { id: 1 }), query(NAME, { id: 2 }), query(NAME, { id: 3, type: 28 }));
  for (const byte of bytes) socket.write(Buffer.of(byte));
  await until('two answers', () => answers.length === 2);
  socket.end();
  await until('the question', () => played.asked.length === 1);
  played.resolve(answer('slow.example', [address('slow.example', '192.0.2.1')]));
  await until('the third, though nothing more is asked', () => answers.length === 3);
  t.strictSame(
    answers.map(({ id }) => id),
    [2, 3, 1],
  );
  await until('the end', () => played.connections.size === 0);
});

t.test('a length of 0, or of more than a query has, ends the connection', async (t) => {
  const played = listenStreams(t);
  for (const head of [Buffer.from([0, 0]), Buffer.from([0x10, 1]), Buffer.from([0xff, 0xff])]) {
    const { socket } = await client(t);
    socket.write(head);
    await until('its end', () => closed(socket));
  }
  t.equal(played.counters.tcpQueries, 0);
});

t.test('who sends a byte at a time, or nothing, is ended when its time is over', async (t) => {
  const played = listenStreams(t, { idleMs: 150, sweepMs: 20 });
  const [slow, silent] = [await client(t), await client(t)];
  slow.socket.write(Buffer.from([1, 0])); // of 256 bytes
  const dribble = setInterval(() => slow.socket.write(Buffer.of(7)), 10);
  const busy = await client(t);
  const asking = setInterval(() => busy.socket.write(framed(query(NAME))), 30);
  await until('both ends', () => closed(slow.socket) && closed(silent.socket));
  t.notOk(closed(busy.socket), 'who asks stays');
  clearInterval(dribble);
  clearInterval(asking);
  t.equal(played.counters.connectionsIdle, 2);
});

t.test('one client has so many connections: its quietest goes, and nobody else has to', async (t) => {
  const played = listenStreams(t, { maxOfClient: 4, maxConnections: 6 });
  const other = await client(t, '127.0.0.2');
  const many: { socket: Socket }[] = [];
  for (let i = 0; i < 10; i++) {
    many.push(await client(t));
    await until('it was taken', () => played.counters.connections === i + 2);
  }
  await until('six ends', () => many.filter(({ socket }) => closed(socket)).length === 6);
  t.strictSame(
    many.slice(6).map(({ socket }) => closed(socket)),
    [false, false, false, false],
  );
  t.notOk(closed(other.socket));
  t.equal(played.connections.size, 5);
  await client(t, '127.0.0.3');
  await client(t, '127.0.0.4');
  await until('room was made', () => played.counters.connectionsDisplaced === 7);
  t.ok(played.connections.size <= 6);
});

t.test('who asks and does not read is not read either', async (t) => {
  const played = listenStreams(t, { idleMs: 400, sweepMs: 20 });
  const socket = connect({ port: PORTS.tcp, host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.pause();
  const bytes = framed(
    ...Array.from({ length: 500 }, () => query('_sql._tcp.db.default.svc.cluster.local', { type: 33 })),
  );
  let isOver = false;
  socket.once('close', () => (isOver = true));
  const before = process.memoryUsage.rss();
  const pump = () => {
    while (!isOver && socket.writableLength < 1 << 20) socket.write(bytes);
    if (!isOver) setTimeout(pump, 5);
  };
  pump();
  await until('its end', () => played.counters.connectionsIdle === 1);
  isOver = true;
  t.ok(process.memoryUsage.rss() - before < 64 << 20, 'nothing piles up');
});

t.test('so many questions of a connection are under way; further ones wait unread', async (t) => {
  const played = listenStreams(t);
  const { socket, answers } = await client(t);
  socket.write(framed(...Array.from({ length: 100 }, (_, id) => query(`n${id}.example`, { id }))));
  await until('64 questions', () => played.asked.length === 64);
  played.resolve(undefined);
  await until('another one', () => played.asked.length === 64 && answers.length === 1);
  while (answers.length < 100) {
    while (played.asked.length > 0) played.resolve(undefined);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  t.equal(played.counters.tcpQueries, 100);
});

t.test('a question of a connection that fails at once is answered once, and what is behind it too', async (t) => {
  const played = listenStreams(t);
  played.hasRoom = false;
  const { socket, answers } = await client(t);
  socket.write(framed(query('a.example', { id: 1 }), query(NAME, { id: 2 }), query('b.example', { id: 3 })));
  await until('three answers', () => answers.length >= 3);
  socket.write(framed(query(NAME, { id: 4 })));
  await until('another one', () => answers.some(({ id }) => id === 4));
  t.match(answers, [{ id: 1, rcode: 2 }, { id: 2, rcode: 0 }, { id: 3, rcode: 2 }, { id: 4 }]);
  t.equal(answers.length, 4);
  t.equal(played.counters.tcpQueries, 4);
});
