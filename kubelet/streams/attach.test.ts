/** attach, against a minder that speaks as launcher/attach.c does. */
import t from 'tap';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { attachTo } from './attach.ts';

type Tap = Pick<typeof t, 'teardown'>;

/** A minder, and what it hears. */
async function minder(t: Tap, greet: (socket: Socket) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'slat-'));
  const path = join(folder, 'attach');
  let heard = Buffer.alloc(0);
  const server = createServer((socket) => {
    socket.on('error', () => {}).on('data', (bytes) => (heard = Buffer.concat([heard, bytes])));
    greet(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { path, heard: () => heard };
}

const frame = (type: number, text: string) => {
  const header = Buffer.from([type, 0, 0, 0, 0]);
  header.writeUInt32BE(text.length, 1);
  return Buffer.concat([header, Buffer.from(text)]);
};

function client() {
  const texts = { stdout: '', stderr: '' };
  const into = (name: 'stdout' | 'stderr') =>
    new Writable({
      write: (bytes: Buffer, _, done) => {
        texts[name] += bytes.toString();
        done();
      },
    });
  const gone = new AbortController();
  const stdin = new PassThrough();
  return {
    texts,
    stdin,
    gone,
    streams: { stdin, stdout: into('stdout'), stderr: into('stderr'), gone: gone.signal, onResize: () => {} },
  };
}

t.test('output comes out in pieces of any size, and the end is success', async (t) => {
  const { path } = await minder(t, (socket) => {
    const all = Buffer.concat([
      frame(1, 'one '),
      frame(2, 'two'),
      frame(1, ''),
      frame(1, 'three'),
      frame(5, '\0\0\0\x07'),
    ]);
    for (const byte of all) socket.write(Buffer.from([byte]));
    socket.end();
  });
  const { texts, streams } = client();
  t.strictSame(await attachTo(path, streams), { exitCode: 0 });
  t.strictSame(texts, { stdout: 'one three', stderr: 'two' });
});

t.test('input, its end, and sizes go in', async (t) => {
  let minders: Socket | undefined;
  const { path, heard } = await minder(t, (socket) => (minders = socket));
  const { stdin, streams } = client();
  const end = attachTo(path, { ...streams, onResize: (listener) => listener({ columns: 80, rows: 24 }) });
  stdin.write('hi');
  stdin.end('x'.repeat(70_000));
  const wanted = Buffer.concat([
    Buffer.from([3, 0, 0, 0, 4, 0, 24, 0, 80]),
    frame(0, 'hi'),
    ...[65536, 70_000 - 65536].map((length) => frame(0, 'x'.repeat(length))),
    frame(4, ''),
  ]);
  while (heard().length < wanted.length) await new Promise(setImmediate);
  t.ok(heard().equals(wanted));
  minders?.end(frame(5, '\0\0\0\0'));
  await end;
});

t.test('who was cut off is told; who goes is let go; a container that is not there is an error', async (t) => {
  const cut = await minder(t, (socket) => socket.end(frame(1, 'some')));
  t.match(await attachTo(cut.path, client().streams), { error: /cut off, for its output was not read fast enough/ });
  const left = await minder(t, () => {});
  const { gone, streams } = client();
  const end = attachTo(left.path, streams);
  gone.abort();
  t.strictSame(await end, { exitCode: 0 });
  await t.rejects(attachTo('/nonexistent/attach', client().streams), {
    message: /^error attaching to container: connect ENOENT/,
  });
});

t.test('a slow client is read for no faster than it takes', async (t) => {
  let sent = 0;
  const { path } = await minder(t, (socket) => {
    const flood = () => {
      while (socket.write(frame(1, 'y'.repeat(65536)))) sent += 65536;
      socket.once('drain', flood);
    };
    flood();
  });
  const { gone, streams } = client();
  const stuck = new Writable({ highWaterMark: 1024, write: () => {} });
  const end = attachTo(path, { ...streams, stdout: stuck });
  while (stuck.writableLength === 0) await new Promise(setImmediate);
  for (let turn = 0; turn < 300; turn++) await new Promise(setImmediate);
  t.ok(stuck.writableLength < 1024 * 1024, `${stuck.writableLength} bytes wait, ${sent} were sent`);
  gone.abort();
  await end;
});
