import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { waitFor } from '../../test/command.ts';
import { FlowServer } from './flow-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-flows-'));
t.teardown(() => rmSync(folder, { recursive: true }));
let sockets = 0;

async function serving(t: Test): Promise<string> {
  const server = new FlowServer([
    { owns: (path) => path === '/own', serve: (_, response) => void response.end('own') },
    { owns: () => true, serve: ({ url = '' }, response) => void response.end(`rest ${url}`) },
  ]);
  const path = join(folder, `${sockets++}.sock`);
  await server.listen({ path, groupId: undefined });
  t.teardown(() => server.stop());
  return path;
}

function overHttp1(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end();
  });
}

function overHttp2(socketPath: string, path: string): Promise<string> {
  const session = connectHttp2('http://sluice', { createConnection: () => connect(socketPath) });
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({ ':path': path });
    let text = '';
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    stream.on('end', () => {
      session.close();
      resolve(text);
    });
  });
}

/** Sends bytes one by one. @returns what comes back until the server ends the connection */
function byteWise(socketPath: string, bytes: string): Promise<string> {
  const socket: Socket = connect(socketPath);
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (part: string) => (text += part));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
    const next = (at: number): void => {
      if (at < bytes.length) socket.write(bytes[at], () => setImmediate(next, at + 1));
    };
    next(0);
  });
}

t.test('HTTP/1 and HTTP/2 on one socket: each request goes to the first handler that owns its path', async (t) => {
  const path = await serving(t);
  t.same(
    await Promise.all([
      overHttp1(path, '/own'),
      overHttp1(path, '/v1/flows?last=3'),
      overHttp2(path, '/own'),
      overHttp2(path, '/x'),
    ]),
    ['own', 'rest /v1/flows?last=3', 'own', 'rest /x'],
  );
});

t.test('what a connection speaks is known however its first bytes are cut', async (t) => {
  const path = await serving(t);
  t.notMatch(await byteWise(path, 'PRI /own HTTP/1.1\r\nhost: x\r\n\r\n'), /200/);
  t.match(
    await byteWise(path, 'POST /own HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
    /^HTTP\/1.1 200 OK[^]*own$/,
  );
  const settings = '\0\0\0\x04\0\0\0\0\0';
  const goaway = `\0\0\x08\x07\0\0\0\0\0${'\0'.repeat(8)}`;
  const answer = await byteWise(path, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${settings}${goaway}`);
  t.equal(answer.charCodeAt(3), 4, 'the server answers with its own settings');
});

t.test('nonsense ends its connection and nobody else', async (t) => {
  const path = await serving(t);
  t.notMatch(await byteWise(path, '\0\0\0garbage\r\n\r\n'), /200/);
  await byteWise(path, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nno frames at all, and many of these bytes');
  t.equal(await overHttp1(path, '/%'), 'rest /%');
  t.equal(await overHttp1(path, '//'), 'rest //', 'what is no URL is a path as well');
  t.equal(await overHttp1(path, '/own'), 'own');
});

t.test('stop() ends connections that wait, and takes the socket away', async (t) => {
  const server = new FlowServer([{ owns: () => true, serve: () => {} }]);
  const path = join(folder, 'stopped.sock');
  await server.listen({ path, groupId: undefined });
  const waiting = byteWise(path, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const silent = byteWise(path, '');
  await new Promise((resolve) => setTimeout(resolve, 20)); // both are there: neither gets anything to wait for
  await server.stop();
  t.same(await Promise.all([waiting, silent]), ['', '']);
  await t.rejects(overHttp1(path, '/'), { code: 'ENOENT' });
});

t.test('a port takes 64 connections, and closes those beyond them at once', async (t) => {
  const server = new FlowServer([{ owns: () => true, serve: (_, response) => void response.end() }]);
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => server.stop());
  let closed = 0;
  const sockets = Array.from({ length: 70 }, () => connect(port, '127.0.0.1'));
  for (const socket of sockets) socket.on('error', () => undefined).on('close', () => closed++);
  await waitFor('six to be closed', () => closed >= 6);
  t.equal(sockets.filter(({ destroyed }) => !destroyed).length, 64);
  for (const socket of sockets) socket.destroy();
});
