/** With which clients, and behind which requests, a connection outlives its 403: those that Debian and Node have. docs/l7.md has the table. */
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup } from '../command.ts';
import { type ClientCommand, ClientWorld, CURL, PORT, SHAPES, WEB, wordsOf } from './http-client/world.ts';

const PYTHON_CLIENT = join(PACKAGE_ROOT, 'test/netns/http-client/client.py');
const NODE_CLIENT = join(import.meta.dirname, 'http-client/client.js');

const python =
  (library: string): ClientCommand =>
  (shape) => ['/usr/bin/python3', PYTHON_CLIENT, library, WEB, String(PORT), ...wordsOf(shape)];
const node =
  (library: string): ClientCommand =>
  (shape) =>
    library === 'fetch' && shape.expects
      ? undefined
      : [process.execPath, NODE_CLIENT, library, WEB, String(PORT), ...wordsOf(shape)];

const WGET: ClientCommand = ({ method, isChunked, expects }, content) => {
  if (isChunked || expects) return undefined;
  const urls = ['public/', 'private', 'public/'].map((path) => `http://${WEB}:${PORT}/${path}`).join(' ');
  const post = method === 'GET' ? '' : `--post-file=${content}`;
  return [
    'sh',
    '-c',
    `wget -S -O /dev/null ${post} ${urls} 2>&1 | sed -n 's|^ *HTTP/1.1 \\([0-9]*\\).*|\\1|p' | paste -sd ' '`,
  ];
};

const ENDING = ['expect-large', 'expect-chunked'];

/** Clients, and the shapes behind which they may connect anew: they read the 403 while they still send. */
const CLIENTS: Readonly<Record<string, [ClientCommand, ...string[]]>> = {
  curl: [CURL, 'large', 'chunked'],
  wget: [WGET],
  'http.client': [python('http.client')],
  requests: [python('requests')],
  'http.Agent': [node('agent')],
  fetch: [node('fetch'), 'large', 'chunked'],
};

const cleanup = new Cleanup();
const world = await ClientWorld.start(`slhk${process.pid.toString(36)}`, cleanup);
t.teardown(() => cleanup.finish());
t.teardown(() => world.stop());

for (const [client, [command, ...racing]] of Object.entries(CLIENTS)) {
  t.test(`${client} is told 403, and its connection goes on wherever it lets it`, async (t) => {
    for (const [name, shape] of Object.entries(SHAPES)) {
      const outcome = await world.try(command, shape);
      if (outcome === undefined) continue;
      t.equal(outcome.said, '200 403 200', name);
      const wanted = racing.includes(name) ? [1, 2] : [ENDING.includes(name) ? 2 : 1];
      t.ok(
        wanted.includes(outcome.connections),
        `${name}: ${outcome.connections} connections, wanted ${wanted.join()}`,
      );
    }
  });
}
