/**
 * With which clients, and behind which requests, a connection outlives its 403: those that need Go or Java, load generators, and
 * proxies that keep connections to their servers. docs/l7.md has the table.
 *
 *   <name>-shop-client   curl ── nginx or HAProxy ── Sluice ── <name>-shop-web
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup, inNetns, isListening, must, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { type ClientCommand, ClientWorld, PORT, SHAPES, type Shape, WEB, wordsOf } from './http-client/world.ts';

const SOURCES = join(PACKAGE_ROOT, 'test/netns/http-client');
const SERVER = `${WEB}:${PORT}`;

const cleanup = new Cleanup();
const name = `slhl${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
const world = await ClientWorld.start(name, cleanup);
t.teardown(() => cleanup.finish());
t.teardown(() => world.stop());

/** Whether a program is there; else a test says that it was not tried. */
async function has(program: string, argv: readonly string[], what: string): Promise<boolean> {
  const { code } = await run(argv);
  if (code === 0) return true;
  t.test(`NOT TRIED, this machine has no ${program}: ${what}`, { skip: `no ${program}` }, async () => {});
  return false;
}

/** @param racing shapes behind which the client may connect anew: it reads the 403 while it still sends */
function check(client: string, command: ClientCommand, ending: readonly string[], ...racing: string[]): void {
  t.test(`${client} is told 403, and its connection goes on wherever it lets it`, async (t) => {
    for (const [shape, request] of Object.entries(SHAPES)) {
      const outcome = await world.try(command, request);
      if (outcome === undefined) continue;
      t.equal(outcome.said, '200 403 200', shape);
      const wanted = racing.includes(shape) ? [1, 2] : [ending.includes(shape) ? 2 : 1];
      t.ok(
        wanted.includes(outcome.connections),
        `${shape}: ${outcome.connections} connections, wanted ${wanted.join()}`,
      );
    }
  });
}

if (await has('Go', ['go', 'version'], "Go's net/http")) {
  const client = join(dir, 'client');
  await must(['go', 'build', '-o', client, join(SOURCES, 'client.go')], {
    timeoutMs: 300_000,
    env: { ...process.env, CGO_ENABLED: '0' },
  });
  check(
    "Go's net/http",
    (shape) => [client, WEB, String(PORT), ...wordsOf(shape)],
    ['expect-large', 'expect-chunked'],
    'large',
  );
}

if (await has('Java', ['java', '--version'], "Java's HttpClient")) {
  // Up to Java 19 it waits for ever for a 100 behind any other answer (JDK-8286171): so it must have one.
  const canWait = (shape: Shape) => !shape.expects || (!shape.isChunked && shape.bytes < 1_000_000);
  check(
    "Java's HttpClient",
    (shape) =>
      canWait(shape)
        ? ['java', '-XX:TieredStopAtLevel=1', join(SOURCES, 'Client.java'), WEB, String(PORT), ...wordsOf(shape)]
        : undefined,
    [],
    'large',
  );
}

const DENIED = `http://${SERVER}/private`;
const GENERATORS: readonly [string, string[], RegExp][] = [
  ['ab', ['ab', '-k', '-n', '200', '-c', '1', DENIED], /Non-2xx responses: +200\b/],
  ['wrk', ['wrk', '-c', '1', '-t', '1', '-d', '1', DENIED], /Non-2xx or 3xx responses: \d\d/],
  ['h2load', ['h2load', '--h1', '-n', '200', '-c', '1', DENIED], /200 4xx/],
];
for (const [program, argv, wanted] of GENERATORS) {
  if (!(await has(program, ['which', program], 'many 403 on one connection'))) continue;
  t.test(`${program} gets many 403 on one connection`, async (t) => {
    let said = '';
    const asked = async () => {
      said = (await world.run(argv)).stdout;
    };
    await world.connectionsOf(asked);
    t.match(said, wanted);
  });
}

function nginxConfig(port: number, buffering: 'on' | 'off'): string {
  return `user root; daemon off; pid ${dir}/nginx-${port}.pid; error_log stderr crit;
events { }
http {
  access_log off; client_body_temp_path ${dir}/body; client_max_body_size 0;
  upstream web { server ${SERVER}; keepalive 1; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering ${buffering}; }
  }
}
`;
}

function haproxyConfig(port: number): string {
  return `defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
  http-reuse always
listen web
  bind 127.0.0.1:${port}
  server web ${SERVER} pool-max-conn 1
`;
}

const STILL_SENDING = ['large', 'chunked', 'expect-large', 'expect-chunked'];

/** A proxy, and the shapes behind which it may connect anew: it reads the 403 while it still sends. */
const PROXIES: readonly [string, string, number, string, ...string[]][] = [
  ['nginx', '/usr/sbin/nginx -c', 8081, nginxConfig(8081, 'on'), ...STILL_SENDING],
  ['nginx, unbuffered,', '/usr/sbin/nginx -c', 8082, nginxConfig(8082, 'off'), ...STILL_SENDING],
  ['HAProxy', '/usr/sbin/haproxy -db -f', 8083, haproxyConfig(8083), ...STILL_SENDING],
];
for (const [proxy, command, port, config, ...racing] of PROXIES) {
  const argv = command.split(' ');
  if (!(await has(argv[0], ['which', argv[0]], `${proxy} in front of Sluice`))) continue;
  t.test(`${proxy} keeps its connection to the server behind a 403`, async (t) => {
    const file = join(dir, `${port}.conf`);
    writeFileSync(file, config);
    const { child } = start(inNetns(world.netns, [...argv, file]));
    cleanup.add(() => child.kill());
    await waitFor(`${proxy} to listen`, () => isListening(world.netns, port));
    const curl = ['curl', '-sS', '-m', String(PATIENCE_SEC), '-o', '/dev/null', '-w', '%{http_code}'];
    const ask = async (path: string, ...args: string[]) =>
      (await world.run([...curl, ...args, `http://127.0.0.1:${port}${path}`])).stdout;
    for (const [shape, { method, bytes, isChunked, expects }] of Object.entries(SHAPES)) {
      const content = join(dir, 'content');
      writeFileSync(content, 'x'.repeat(bytes));
      const data = method === 'GET' ? [] : ['--data-binary', `@${content}`];
      if (isChunked) data.push('-H', 'Transfer-Encoding: chunked');
      data.push('-H', expects ? 'Expect: 100-continue' : 'Expect:');
      const said = [await ask('/public/')];
      const connections = await world.connectionsOf(async () => {
        said.push(await ask('/private', ...data), await ask('/public/'));
      });
      t.same(said, ['200', '403', '200'], shape);
      t.ok(connections <= (racing.includes(shape) ? 1 : 0), `${shape}: ${connections} connections more`);
    }
    child.kill();
  });
}
