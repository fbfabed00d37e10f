/**
 * The page of a real agent, over TLS with a token: what it tells of traffic, why, and what a patch changes; what it does not tell; and what
 * becomes of it when its agent is killed, or its address is somebody else's.
 *
 *   test ── https://127.0.0.1:PORT ── thread of the page ── sluice.sock, hubble.sock ── agent ── shop/web, shop/api
 *                                          └── judge
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request as clear } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import t from 'tap';
import { envelopeOf } from '../../hubble/message/envelope.ts';
import { Verdict } from '../../hubble/proto/flow/flow_pb.ts';
import { Observer } from '../../hubble/proto/observer/observer_pb.ts';
import { Cleanup, waitFor } from '../command.ts';
import { freePort } from '../free-port.ts';
import { OWN_RANGE, SluiceInstance } from '../rig.ts';

const TOKEN = 'a-token-of-this-test-0123456789';
const SECRET = 's3cret-of-this-test';
const API = `${OWN_RANGE.ipv4}.11`;
const MANIFESTS = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { containers: [] }
status: { podIPs: [{ ip: ${OWN_RANGE.ipv4}.10 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: api, namespace: shop, labels: { app: api } }
spec: { containers: [] }
status: { podIPs: [{ ip: ${API} }] }
---
apiVersion: v1
kind: Secret
metadata: { name: hidden-name, namespace: shop }
stringData: { token: ${SECRET} }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: closed, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: api } }
  ingress: [{ fromEndpoints: [{ matchLabels: { app: nobody } }] }]
`;

const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slpa${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
const [cert, key, tokenFile] = ['tls.crt', 'tls.key', 'token'].map((file) => join(dir, file));
const subject = ['-subj', '/CN=page', '-addext', 'subjectAltName=DNS:localhost'];
const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
execFileSync('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
const port = await freePort();
const config = [
  'ui: true',
  `ui-address: 127.0.0.1:${port}`,
  'ui-write: true',
  `ui-tls-cert: ${cert}`,
  `ui-tls-key: ${key}`,
  `ui-token-file: ${tokenFile}`,
  '',
].join('\n');
const instance = await SluiceInstance.start({ name, cleanup, netnsPrefix: `${name}-`, createNamespaces: true, config });
t.teardown(() => instance.stop());
await instance.send(MANIFESTS);
await instance.untilReady(['shop/web', 'shop/api']);

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function ask(path: string, options: { body?: string; type?: string; headers?: object } = {}): Promise<Answered> {
  const { body, type = 'application/json', headers } = options;
  const all = { host: 'localhost', ...(body !== undefined && { 'content-type': type }), ...headers };
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request({ port, path, method, headers: all, agent: false, rejectUnauthorized: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function login(): Promise<{ cookie: string }> {
  const { status, headers } = await ask('/login', { body: JSON.stringify({ token: TOKEN }) });
  t.equal(status, 200);
  t.match(headers['set-cookie'], [/^__Host-.*; HttpOnly; SameSite=Strict; Secure$/]);
  return { cookie: String(headers['set-cookie']?.[0]).split(';')[0] };
}

const ping = async (): Promise<boolean> =>
  (await instance.inPod('shop/web', ['ping', '-n', '-c1', '-W1', API])).code === 0;
const served = async (): Promise<boolean> => (await ask('/ui/v1/session').catch(() => undefined))?.status === 200;

t.test('a denied flow is told as it happens, explained, and repaired by the patch that is offered', async (t) => {
  await waitFor('the page', served);
  t.match((await instance.cli('status')).stdout, `Page:           https://127.0.0.1:${port}/`);
  t.equal((await ask('/')).status, 200);
  t.match(await ask('/v1/status'), { status: 401 });
  t.match(await ask('/login', { body: '{"token":"a-token-of-another"}' }), { status: 401 });
  const headers = await login();
  t.match(JSON.parse((await ask('/ui/v1/session', { headers })).text), { token: 'given', instance: name, write: true });

  const transport = createConnectTransport({
    baseUrl: `https://localhost:${port}`,
    httpVersion: '1.1',
    nodeOptions: { rejectUnauthorized: false },
    interceptors: [
      (next) => (call) => {
        call.header.set('cookie', headers.cookie);
        return next(call);
      },
    ],
  });
  const end = new AbortController();
  const whitelist = [{ verdict: [Verdict.DROPPED], sourcePod: ['shop/web'] }];
  const stream = createClient(Observer, transport).getFlows(
    { follow: true, number: 100n, whitelist },
    { signal: end.signal },
  );
  const first = stream[Symbol.asyncIterator]().next();
  t.equal(await ping(), false);
  const { flow } = envelopeOf((await first).value);
  end.abort();
  t.match(flow, { verdict: 'DROPPED', ingress_denied_by: [{ name: 'closed' }] });

  const question = { headers, body: JSON.stringify({ flow }) };
  const why = JSON.parse((await ask('/ui/v1/explain', question)).text);
  t.match(why, { verdict: 'denied', flow: { uuid: flow?.uuid }, patch: [{ name: 'CiliumNetworkPolicy/shop/closed' }] });
  t.match(why.patch[0].diff, /^\+.*app: web/m);
  const manifests = JSON.stringify(why.patch[0].after);
  const replayed = JSON.parse((await ask('/ui/v1/replay', { headers, body: JSON.stringify({ manifests }) })).text);
  t.match(replayed, { changed: [{ before: 'denied', after: 'allowed', protocol: /^ICMP/ }] });
  const yaml = { headers, body: manifests, type: 'application/yaml' };
  t.match(await ask('/v1/apply?file=page', yaml), { status: 200, text: /"configured"/ });
  await waitFor('the ping to pass', ping);
  t.match(JSON.parse((await ask('/ui/v1/explain', question)).text), { verdict: 'allowed', since: [/it was denied/] });
});

t.test('secrets are told by no call, and nothing is told in the clear', async (t) => {
  const headers = await login();
  const calls = [
    'status',
    'endpoints',
    'identities',
    'services',
    'policies',
    'cookies',
    'objects',
    'objects?kind=Secret',
    'flows',
    'fqdn/cache',
    'fqdn/names',
  ];
  const texts = await Promise.all(calls.map(async (call) => [call, await ask(`/v1/${call}`, { headers })] as const));
  for (const question of ['lint', 'selected', 'matrix', 'validate'])
    texts.push([question, await ask(`/ui/v1/${question}`, { headers, body: '{}' })]);
  texts.push(
    ['metrics', await ask('/metrics', { headers })],
    ['metrics of flows', await ask('/metrics/flows', { headers })],
  );
  for (const [call, { status, text }] of texts) {
    t.equal(status, 200, `${call}: ${text.slice(0, 200)}`);
    t.notMatch(text, SECRET, call);
    t.notMatch(text, Buffer.from(SECRET).toString('base64'), call);
    t.notMatch(text, 'hidden-name', call);
  }
  const isRefused = await new Promise((resolve) => {
    const sent = clear({ port, path: '/', agent: false }, (response) => resolve(response.statusCode));
    sent.on('error', () => resolve('refused'));
    sent.end();
  });
  t.equal(isRefused, 'refused', 'without TLS');
});

t.test(
  'an agent that is killed takes its judge along; the next one has the page again, and its sessions',
  async (t) => {
    const headers = await login();
    const judges = (): string =>
      execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes('sluice-judge') && line.includes(instance.runDir))
        .join();
    t.equal((await ask('/ui/v1/lint', { headers, body: '{}' })).status, 200);
    t.not(judges(), '');
    process.kill(instance.agent.pid, 'SIGKILL');
    await waitFor('the end of the judge', () => judges() === '');
    t.equal(await ping(), true, 'traffic goes on');
    await instance.restartAgent();
    await waitFor('the page', served);
    t.equal((await ask('/v1/status', { headers })).status, 200, 'the session of before');
  },
);

t.test('an address that another agent has is told, and had when that agent goes', async (t) => {
  const other = await SluiceInstance.start({
    name: `${name}b`.slice(0, 10),
    cleanup,
    createNamespaces: true,
    netnsPrefix: `${name}b-`,
    podCIDR4: '10.251.7.0/24',
    podCIDR6: '',
    config: `ui: true\nui-address: 127.0.0.1:${port}\n`,
  });
  const problems = async (): Promise<string> => String((await other.read('/v1/status')).problems);
  await waitFor('the problem', async () => /the page is not served on .*EADDRINUSE/.test(await problems()));
  await instance.agent.stop();
  await waitFor('the page of the other', async () => (await other.read('/v1/status')).page.address !== '', 20_000);
  t.notMatch(await problems(), /the page is not served/);
  await other.stop();
  await instance.restartAgent();
});
