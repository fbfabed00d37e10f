/** Who may ask the page's listener and who may not, its files, and what it hands on, on real sockets. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { waitFor } from '../../test/command.ts';
import { FlowServer } from '../observe/flow-server.ts';
import { PageHandler, type PageMeans } from './page-handler.ts';
import { type Asking, RequestChecks } from './request-checks.ts';
import { Sessions } from './sessions.ts';
import { StaticFiles } from './static-files.ts';

const TOKEN = 'correct horse battery';

function asking(given: Partial<Asking> & { headers?: Record<string, string> }): Asking {
  const { headers = {}, ...rest } = given;
  const plain = { method: 'GET', path: '/v1/status', authority: 'localhost:12000', isSecure: false };
  return { ...plain, localAddress: '127.0.0.1', header: (name) => headers[name] ?? '', ...rest };
}

t.test('requests of other pages, and names of others, are refused', async (t) => {
  const checks = new RequestChecks(['sluice.example']);
  const json = { 'content-type': 'application/json' };
  const cases: [name: string, status: number | undefined, given: Parameters<typeof asking>[0]][] = [
    ['a program', undefined, {}],
    ['the page itself', undefined, { headers: { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:12000' } }],
    ['a person who types', undefined, { path: '/', headers: { 'sec-fetch-site': 'none' } }],
    ['another port, of ssh -L', undefined, { authority: '127.0.0.1:8080', headers: { origin: 'http://127.0.0.1:8080' } }],
    ['a name that was given', undefined, { authority: 'SLUICE.example' }],
    ['the address itself', undefined, { authority: '192.0.2.7:12000', localAddress: '::ffff:192.0.2.7' }],
    ['the address itself, IPv6', undefined, { authority: '[fd00::7]:12000', localAddress: 'fd00::7' }],
    ['a name that leads here', 421, { authority: 'evil.example:12000' }],
    ['a name that begins as ours', 421, { authority: 'localhost.evil.example' }],
    ['another address', 421, { authority: '192.0.2.8', localAddress: '192.0.2.7' }],
    ['loopback from afar', undefined, { authority: 'localhost', localAddress: '192.0.2.7' }],
    ['no host', 421, { authority: '' }],
    ['a user in the host', 421, { authority: 'localhost@evil.example' }],
    ['two hosts', 421, { authority: 'localhost, evil.example' }],
    ['another site', 403, { headers: { 'sec-fetch-site': 'cross-site' } }],
    ['another port of this machine', 403, { headers: { 'sec-fetch-site': 'same-site' } }],
    ['a word that is none', 403, { headers: { 'sec-fetch-site': 'SAME-ORIGIN' } }],
    ['a link', undefined, { path: '/', headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } }],
    ['a frame', 403, { path: '/', headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' } }],
    ['a link to the API', 403, { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } }],
    ['a form that is posted', 403, { method: 'POST', path: '/', headers: { ...json, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } }],
    ['a post that nobody sent', 403, { method: 'POST', headers: { ...json, 'sec-fetch-site': 'none' } }],
    ['another origin', 403, { headers: { origin: 'http://evil.example' } }],
    ['no origin of any page', 403, { headers: { origin: 'null' } }],
    ['another port as origin', 403, { headers: { origin: 'http://localhost:8080' } }],
    ['another scheme as origin', 403, { headers: { origin: 'https://localhost:12000' } }],
    ['a post of a program', undefined, { method: 'POST', headers: json }],
    ['a post without a type', 415, { method: 'POST' }],
    ['a form', 415, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['a text', 415, { method: 'POST', headers: { 'content-type': 'Text/Plain; charset=utf-8' } }],
  ]; // biome-ignore format: a table
  for (const [name, status, given] of cases) t.equal(checks.refusal(asking(given))?.status, status, name);
});

t.test('a session lasts as long as its cookie says and the token stays', async (t) => {
  let nowMs = 1_800_000_000_000;
  let text = `${TOKEN}\n`;
  const sessions = new Sessions({ tokenText: () => text, instance: 'a', isSecure: true, nowMs: () => nowMs });
  const login = (token: string): string => {
    const result = sessions.login(token);
    return typeof result === 'string' ? result : result.setCookie;
  };
  const set = login(TOKEN);
  t.match(set, /^__Host-sluice-a=[\w.-]+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/);
  t.notMatch(set, TOKEN);
  const cookie = set.split(';')[0];
  t.ok(sessions.isLetIn(`x=1; ${cookie}; y=2`, ''));
  t.notOk(sessions.isLetIn('', `Bearer ${TOKEN.replaceAll(' ', '')}`), 'not another token');
  const later = cookie.replace(/=(\d)/, (_, digit: string) => `=${Number(digit) + 1}`);
  t.notOk(sessions.isLetIn(later, ''), 'the end of a session is under the MAC');
  t.notOk(sessions.isLetIn(`${cookie}x`, ''));
  t.notOk(sessions.isLetIn(cookie.replace('sluice-a', 'sluice-b'), ''), 'of another instance');
  nowMs += 12 * 3600 * 1000;
  t.notOk(sessions.isLetIn(cookie, ''), 'over');
  const next = login(TOKEN).split(';')[0];
  t.ok(sessions.isLetIn(next, ''));
  text = 'another token of length';
  t.notOk(sessions.isLetIn(next, ''), 'the token is another');
  t.equal(login(TOKEN), 'wrong');
  for (const bad of ['', 'short', `${'x'.repeat(2000)}\n`]) {
    text = bad;
    t.match(sessions.problem, /wanted one/);
    t.equal(login(bad), 'wrong', 'nobody is let in');
    t.notOk(sessions.isLetIn(next, ''));
  }
});

t.test('tokens cannot be tried without end', async (t) => {
  let nowMs = 0;
  const sessions = new Sessions({ tokenText: () => TOKEN, instance: 'a', isSecure: false, nowMs: () => nowMs });
  const tries = (): unknown[] => Array.from({ length: 12 }, (_, i) => sessions.login(`guess number ${i}`));
  t.same(tries(), [...Array<string>(10).fill('wrong'), 'too many', 'too many']);
  t.equal(sessions.login(TOKEN), 'too many');
  nowMs += 6000;
  t.type(sessions.login(TOKEN), 'object');
  t.match(sessions.logout, /^sluice-a=; Path=\/; Max-Age=0; HttpOnly; SameSite=Strict$/);
});

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A page with two sockets behind it, which answer as `behind` says. */
async function rig(
  t: Test,
  more: Partial<PageMeans> & { behind?: (request: IncomingMessage, response: ServerResponse) => void } = {},
) {
  const folder = t.testdir({
    page: {
      'index.html': '<!doctype html><script src="/assets/app-1.js"></script>',
      'index.html.gz': 'gz',
      'secret.pem': 'no type of a page',
      assets: { 'app-1.js': 'let a', 'app-1.js.br': 'br' },
    },
  });
  const asked: string[] = [];
  const behind = more.behind ?? ((request, response) => void request.resume().on('end', () => response.end('{}')));
  const upstream = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${Object.keys(request.headers).sort().join()}`);
    behind(request, response);
  });
  const run = mkdtempSync(join(tmpdir(), 'sluice-page-')); // a path of a socket is short
  const socket = join(run, 'a.sock');
  await new Promise<void>((resolve) => upstream.listen(socket, resolve));
  const sessions = new Sessions({ tokenText: undefined, instance: 'a', isSecure: false, nowMs: Date.now });
  const files = new StaticFiles(join(folder, 'page'));
  const judge = { ask: () => Promise.resolve({ status: 200, text: '{}\n' }) };
  const means = {
    judge,
    instance: 'a',
    nodeName: 'n',
    hosts: [],
    mayWrite: false,
    agentSocket: socket,
    hubbleSocket: socket,
  };
  const handler = new PageHandler({ ...means, files, sessions, ...more });
  const server = new FlowServer([handler]);
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(async () => {
    await server.stop();
    upstream.closeAllConnections();
    upstream.close();
    rmSync(run, { recursive: true });
  });
  const ask = (path: string, options: { method?: string; headers?: object; body?: string } = {}): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const { method = 'GET', headers = {}, body } = options;
      const sent = request({ port, path, method, agent: false, headers: { ...headers } }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  return { ask, asked, handler, port, folder, upstream };
}

t.test('files are served by their names alone, as the browser can take them', async (t) => {
  const { ask, folder } = await rig(t);
  const index = await ask('/', { headers: { 'accept-encoding': 'gzip;q=0, deflate' } });
  t.match(index, { status: 200, headers: { 'content-type': /^text\/html/, 'cache-control': 'no-cache' } });
  const policy = index.headers['content-security-policy'];
  t.match(policy, /default-src 'none'; script-src 'self'.*frame-ancestors 'none'; base-uri 'none'/);
  t.notMatch(policy, /unsafe|\*|http/);
  t.equal((await ask('/', { headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding'], 'gzip');
  const asset = await ask('/assets/app-1.js', { headers: { 'accept-encoding': 'gzip, br' } });
  t.match(asset, {
    text: 'br',
    headers: { 'content-encoding': 'br', 'cache-control': /immutable/, vary: 'accept-encoding' },
  });
  const etag = String(asset.headers.etag);
  const known = { 'accept-encoding': 'br', 'if-none-match': `"x", ${etag}` };
  t.match(await ask('/assets/app-1.js', { headers: known }), { status: 304, text: '' });
  const head = await ask('/', { method: 'HEAD' });
  t.match(head, { status: 200, text: '', headers: { 'content-length': '55' } });
  const others = [
    '/secret.pem',
    '/../a.sock',
    '/%2e%2e/a.sock',
    '/assets/../../a.sock',
    '//index.html',
    '/index.html.gz',
    '/assets',
    '/assets/',
    '/__proto__',
    '/assets/app-1.js%00',
    '/..\\a.sock',
  ];
  for (const path of others) t.equal((await ask(path)).status, 404, path);
  writeFileSync(join(folder, 'page/index.html'), 'anew');
  utimesSync(join(folder, 'page/index.html'), 1, 1);
  t.equal((await ask('/')).text, 'anew', 'a page that was built anew');
});

t.test('without a page there is a sentence', async (t) => {
  const { ask } = await rig(t, { files: new StaticFiles('/nonexistent') });
  t.match(await ask('/'), { status: 503, text: /found none, wanted index\.html: scripts\/setup builds it/ });
});

t.test('of the agent only what is listed is reached, with nothing but what the call needs', async (t) => {
  const { ask, asked, handler } = await rig(t);
  const headers = { cookie: 'a=1', authorization: 'Bearer x', 'x-forwarded-for': 'y', accept: 'application/json' };
  for (const path of [
    '/v1/status',
    '/v1/objects?kind=Pod&exceptKind=x&kind=Secret',
    '/metrics',
    '/v1/flows?last=5&follow=true',
  ])
    t.equal((await ask(path, { headers })).status, 200);
  t.same(asked.splice(0), [
    'GET /v1/status accept,connection,host',
    'GET /v1/objects?kind=Pod&kind=Secret&exceptKind=Secret accept,connection,host',
    'GET /metrics accept,connection,host',
    'GET /v1/flows?last=5 accept,connection,host',
  ]);
  const json = { 'content-type': 'application/json' };
  const refused: [number, string, string][] = [
    [404, 'POST', '/v1/shutdown'],
    [404, 'DELETE', '/v1/fqdn/cache'],
    [404, 'POST', '/v1/status'],
    [404, 'GET', '/v1/world'],
    [404, 'GET', '/v1/../v1/world'],
    [404, 'GET', '/v1/status/'],
    [404, 'GET', '/constructor'],
    [403, 'POST', '/v1/apply'],
    [403, 'POST', '/v1/delete?contents=true'],
    [404, 'PUT', '/v1/apply'],
    [404, 'POST', '/peer.Peer/Notify'],
    [404, 'POST', '/observer.Observer/../x'],
  ];
  for (const [status, method, path] of refused)
    t.equal((await ask(path, { method, headers: json, body: '{}' })).status, status, `${method} ${path}`);
  t.equal((await ask('/v1/status', { headers: { host: 'evil.example' } })).status, 421);
  const grpc = { 'content-type': 'application/grpc+proto' };
  t.equal((await ask('/observer.Observer/GetFlows', { method: 'POST', headers: grpc })).status, 403);
  t.same(asked, [], 'nothing of these went on');
  t.equal(handler.counts.refused, 14);
  const writing = await rig(t, { mayWrite: true });
  const yaml = { 'content-type': 'application/yaml' };
  t.equal(
    (await writing.ask('/v1/apply?file=a.yaml&x=1', { method: 'POST', headers: yaml, body: 'a: 1' })).status,
    200,
  );
  t.match(writing.asked, [/^POST \/v1\/apply\?file=a\.yaml /]);
});

t.test('with a token, nothing is told before the login', async (t) => {
  const sessions = new Sessions({ tokenText: () => TOKEN, instance: 'a', isSecure: false, nowMs: Date.now });
  const { ask, asked } = await rig(t, { sessions });
  const json = { 'content-type': 'application/json' };
  t.equal((await ask('/')).status, 200, 'the files are no secret');
  t.match(await ask('/v1/status'), { status: 401, text: /POST \/login/ });
  t.equal((await ask('/ui/v1/session')).text, '{"token":"wanted"}\n');
  const login = (body: string, headers: object = json) => ask('/login', { method: 'POST', headers, body });
  t.equal((await login('{"token":"wrong"}')).status, 401);
  for (const body of ['', '{', '[]', 'null', '{"token":1}', `[${'1,'.repeat(1000)}1]`])
    t.equal((await login(body)).status, 400);
  t.equal((await login(`"${'x'.repeat(5000)}"`)).status, 413);
  t.equal((await login(`token=${TOKEN}`, { 'content-type': 'application/x-www-form-urlencoded' })).status, 415);
  t.equal((await login(JSON.stringify({ token: TOKEN }), { ...json, origin: 'http://evil.example' })).status, 403);
  t.same(asked, []);
  const good = await login(JSON.stringify({ token: TOKEN }));
  t.equal(good.status, 200);
  const [set = ''] = good.headers['set-cookie'] ?? [];
  const headers = { cookie: set.split(';')[0] };
  t.equal((await ask('/v1/status', { headers })).status, 200);
  t.match(JSON.parse((await ask('/ui/v1/session', { headers })).text), { token: 'given', instance: 'a', write: false });
  t.notMatch(asked[0], /cookie/);
  const bearer = { authorization: 'Bearer no' };
  t.equal((await ask('/v1/status', { headers: bearer })).status, 401);
});

t.test('streams flow as fast as they are read, and end at both ends', async (t) => {
  let sent = 0;
  let isClosed = false;
  const block = Buffer.alloc(65_536, 'x');
  const behind = (_: IncomingMessage, response: ServerResponse): void => {
    response.on('close', () => (isClosed = true));
    const more = (): void => {
      while (!response.destroyed && sent < 4096 && response.write(block)) sent++;
    };
    response.on('drain', () => {
      sent++;
      more();
    });
    more();
  };
  const { port, handler } = await rig(t, { behind });
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /v1/flows HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  let before = -1;
  await waitFor('the sender to wait', async () => {
    const isWaiting = sent === before;
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return isWaiting;
  });
  t.ok(sent < 512, `${sent} blocks of 4096 went out`);
  t.equal(handler.counts.active, 1);
  socket.destroy();
  await waitFor('the end at the other end', () => isClosed && handler.counts.active === 0);
});

t.test('an answer that breaks off does not pass for a whole one', async (t) => {
  const behind = (_: IncomingMessage, response: ServerResponse): void => {
    response.write('{"half":');
    setImmediate(() => response.destroy());
  };
  const { ask, upstream, handler } = await rig(t, { behind });
  await t.rejects(ask('/v1/status'));
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
  t.match(await ask('/v1/status'), { status: 502, text: /the agent does not answer: E/ });
  await waitFor('the end of all requests', () => handler.counts.active === 0);
});

t.test('the same over HTTP/2, as browsers have it with TLS', async (t) => {
  let end = (): void => undefined;
  const behind = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url !== '/observer.Observer/GetFlows') return void request.resume().on('end', () => response.end('{}'));
    response.writeHead(200, { 'content-type': 'application/connect+proto', 'set-cookie': 'a=1' });
    response.write('first');
    end = () => response.end('last');
  };
  const { port, handler, asked } = await rig(t, { behind });
  const session = connectHttp2(`http://localhost:${port}`);
  t.teardown(() => session.destroy());
  const open = (headers: Record<string, string>, body?: string) => {
    const stream = session.request({ ':method': body === undefined ? 'GET' : 'POST', ...headers });
    stream.end(body);
    const head = new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    return { stream, head, whole: new Promise<string>((resolve) => stream.once('end', () => resolve(text))) };
  };
  const same = { 'sec-fetch-site': 'same-origin' };
  const file = open({ ':path': '/', 'sec-fetch-site': 'none' });
  t.match(await file.head, { ':status': 200, 'content-security-policy': /default-src 'none'/ });
  t.match(await file.whole, /<!doctype html>/);
  const status = open({ ':path': '/v1/status', ...same });
  t.match(await status.head, { ':status': 200, 'cache-control': 'no-store' });
  t.equal(await status.whole, '{}');
  const json = { ...same, 'content-type': 'application/json', origin: `http://localhost:${port}` };
  t.match(await open({ ':path': '/ui/v1/lint', ...json }, '{}').head, { ':status': 200 });
  t.match(await open({ ':path': '/ui/v1/lint', ...json, origin: 'http://evil.example' }, '{}').head, {
    ':status': 403,
  });
  t.match(await open({ ':path': '/login', ...json }, 'x'.repeat(10_000)).head, { ':status': 413 });
  const flows = open(
    { ':path': '/observer.Observer/GetFlows', ...json, 'content-type': 'application/connect+proto' },
    'x',
  );
  const head = await flows.head;
  t.match(head, { ':status': 200, 'content-type': 'application/connect+proto' });
  t.notOk(head['set-cookie'], 'nothing but what belongs to the answer');
  end();
  t.equal(await flows.whole, 'firstlast');
  const gone = open(
    { ':path': '/observer.Observer/GetFlows', ...json, 'content-type': 'application/connect+proto' },
    'x',
  );
  await gone.head;
  gone.stream.close();
  await waitFor('the end of all requests', () => handler.counts.active === 0);
  t.equal(asked.length, 3);
});

t.test('whoever sends slowly, or nothing, is given up, and others are served meanwhile', async (t) => {
  const asked: number[] = [];
  const { ask, port, handler } = await rig(t, { bodyMs: 200 });
  const slow = (head: string): Promise<string> =>
    new Promise((resolve) => {
      let drip: NodeJS.Timeout | undefined;
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(head);
        drip = setInterval(() => socket.write('x'), 20);
      });
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearInterval(drip);
        asked.push(1);
        resolve(answer);
      });
    });
  const head = (path: string, type: string): string =>
    `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: 100000\r\n\r\n`;
  const paths = ['/login', '/ui/v1/validate', '/observer.Observer/GetFlows'];
  const slowly = Promise.all(
    paths.flatMap((path) => Array.from({ length: 8 }, () => slow(head(path, 'application/json')))),
  );
  t.equal((await ask('/v1/status')).status, 200);
  t.ok(asked.length < 24, 'before they are given up');
  for (const answer of await slowly) t.match(answer, /^HTTP\/1\.1 408/);
  await waitFor('the end of all requests', () => handler.counts.active === 0);
});

t.test('hostile clients end themselves and nothing else', async (t) => {
  const { ask, port, handler } = await rig(t, { mayWrite: true });
  const bytes = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(text));
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });
  const head = 'POST /v1/apply HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/yaml\r\n';
  const huge = `${head}transfer-encoding: chunked\r\n\r\n${`100000\r\n${'x'.repeat(0x100000)}\r\n`.repeat(17)}`;
  t.match(await bytes(huge), /^(HTTP\/1\.1 413|$)/, 'told, or reset while it still sent');
  t.match(await bytes('GET /v1/status HTTP/1.1\r\nconnection: close\r\n\r\n'), /^HTTP\/1\.1 400/, 'no host');
  t.match(await bytes(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 431/);
  t.match(
    await bytes(
      'OPTIONS /v1/apply HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\r\nconnection: close\r\n\r\n'.replace(
        '\r\n\r\nc',
        '\r\nc',
      ),
    ),
    /^HTTP\/1\.1 403(?![^]*access-control)/i,
    'no leave for other pages',
  );
  const idle: Socket[] = Array.from({ length: 1000 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  await waitFor('most of 1000 to be turned away', () => idle.filter((one) => one.closed).length >= 900);
  for (const one of idle) one.destroy();
  await waitFor('room again', async () => (await ask('/v1/status').catch(() => ({ status: 0 }))).status === 200);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  const upload = session.request({
    ':method': 'POST',
    ':path': '/v1/delete',
    'content-type': 'application/yaml',
    ':authority': 'evil.example',
  });
  const status = await new Promise((resolve) => upload.once('response', (headers) => resolve(headers[':status'])));
  t.equal(status, 421);
  upload.resume();
  await new Promise((resolve) => upload.once('close', resolve));
  session.destroy();
  await waitFor('the end of all requests', () => handler.counts.active === 0);
});
