/** Who asks, and whom: kubeconfigs, service accounts, plugins, certificates, proxies. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { dirname, join } from 'node:path';
import t from 'tap';
import { Authority } from '../test/authority.ts';
import { KubeApiServer } from '../test/kube-api-server.ts';
import { type Access, requireSecure } from './access.ts';
import { KubeClient } from './client.ts';
import { Credentials } from './credentials.ts';
import { inClusterAccess } from './in-cluster.ts';
import { readKubeconfig } from './kubeconfig.ts';

type Tap = typeof t;
const DIRECTORY = mkdtempSync('/tmp/slkac-');
const AUTHORITY = new Authority(DIRECTORY);
const SERVER = AUTHORITY.sign('server', '/CN=server', 'IP:127.0.0.1,DNS:kubernetes');
const OWN_CA = 'certificate-authority: ca.crt';
const EXEC = 'apiVersion: client.authentication.k8s.io/v1, command';
t.teardown(() => rmSync(DIRECTORY, { recursive: true, force: true }));

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function kubeconfig(
  name: string,
  { server = 'https://127.0.0.1:6443', cluster = '', user = 'token: abc' } = {},
): string {
  const path = join(DIRECTORY, name);
  writeFileSync(
    path,
    `apiVersion: v1
kind: Config
preferences: {}
current-context: here
clusters: [{name: c, cluster: {server: '${server}'${cluster === '' ? '' : `, ${cluster}`}}}]
users: [{name: u, user: {${user}}}]
contexts:
  - {name: here, context: {cluster: c, user: u}}
  - {name: nobody, context: {cluster: c}}
  - {name: lost, context: {cluster: other, user: u}}
`,
  );
  return path;
}

/** A program that is a plugin. @param said what it does */
function plugin(name: string, said: string): string {
  const path = join(DIRECTORY, name);
  writeFileSync(path, `#!/bin/sh\n${said}\n`);
  chmodSync(path, 0o755);
  return path;
}

const credential = (status: object): string =>
  `echo '${JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status })}'`;

async function secureServer(test: Tap, requestCert = false): Promise<{ server: KubeApiServer; url: string }> {
  const server = new KubeApiServer({ ...SERVER, ca: AUTHORITY.ca, requestCert });
  server.serve('/api/v1/pods');
  test.teardown(() => server.close());
  return { server, url: await server.listen() };
}

/** Asks for pods. @returns what does it again, and answers with what was presented */
function asker(test: Tap, access: Access, server: KubeApiServer): () => Promise<string> {
  const client = new KubeClient(access, 'test');
  test.teardown(() => client.close());
  return async () => {
    await client.json({ what: 'list pods', path: '/api/v1/pods' });
    return server.requests.at(-1)?.headers.authorization ?? '';
  };
}

t.test('a kubeconfig gives the access of one of its contexts', async (t) => {
  const path = kubeconfig('plain', { cluster: `${OWN_CA}, tls-server-name: kubernetes` });
  t.match(readKubeconfig(path), {
    server: 'https://127.0.0.1:6443',
    ca: { path: join(DIRECTORY, 'ca.crt') },
    serverName: 'kubernetes',
    isInsecure: false,
    user: { token: { text: 'abc' } },
  });
  t.strictSame(readKubeconfig(path, 'nobody').user, {});
  const user = `client-certificate-data: ${base64(SERVER.cert)}, client-key-data: ${base64(SERVER.key)}`;
  t.match(readKubeconfig(kubeconfig('inline', { user })).user, { certificate: { cert: { text: SERVER.cert } } });
  const both = kubeconfig('both', { user: 'token: old, tokenFile: t/token' });
  t.strictSame(readKubeconfig(both).user, { token: { path: join(DIRECTORY, 't/token') } }, 'the file is the fresh one');
});

t.test('what a kubeconfig lacks, or has and should not, is a sentence', async (t) => {
  const cases: [string, Parameters<typeof kubeconfig>[1], RegExp][] = [
    ['an unknown server', { server: 'ftp://x' }, /found the server "ftp:\/\/x" of cluster c, wanted https/],
    ['a name in the URL', { server: 'https://a:b@x' }, /wanted https/],
    ['half a certificate', { user: 'client-certificate: x.crt' }, /found half a client certificate of user u/],
    ['no PEM', { user: 'client-certificate-data: eA==, client-key-data: eA==' }, /no PEM in base64/],
    ['a provider', { user: 'auth-provider: {name: gcp}' }, /found auth-provider of user u/],
    ['somebody else', { user: 'token: x, as: root' }, /found as of user u/],
    ['a plugin of another version', { user: 'exec: {apiVersion: x/v1, command: y}' }, /found exec of x\/v1/],
    ['a plugin that asks', { user: `exec: {${EXEC}: y, interactiveMode: Always}` }, /asks nobody/],
    ['a plugin without a program', { user: `exec: {${EXEC}: }` }, /found no command/],
    ['a proxy of another kind', { cluster: 'proxy-url: "socks5://x:1"' }, /found proxy-url "socks5:\/\/x:1"/],
    ['a wrong type', { cluster: 'insecure-skip-tls-verify: 7' }, /wanted true or false/],
  ];
  for (const [name, given, sentence] of cases) t.throws(() => readKubeconfig(kubeconfig('bad', given)), sentence, name);
  const path = kubeconfig('contexts');
  t.throws(() => readKubeconfig(path, 'nosuch'), /found no context "nosuch", wanted one of .*: here, nobody, lost/);
  t.throws(() => readKubeconfig(path, 'lost'), /found no cluster "other"/);
  t.throws(() => readKubeconfig('/nonexistent'), /read kubeconfig: ENOENT/);
  writeFileSync(path, '{{ nonsense');
  t.throws(() => readKubeconfig(path), /error: read YAML/);
});

t.test('credentials go to whoever answers only when that is said', async (t) => {
  const insecure = readKubeconfig(kubeconfig('insecure', { cluster: 'insecure-skip-tls-verify: true' }));
  const plain = readKubeconfig(kubeconfig('http', { server: 'http://127.0.0.1:1' }));
  t.throws(
    () => requireSecure(insecure, false),
    /found insecure-skip-tls-verify, wanted https .*: set kubernetes-insecure/,
  );
  t.throws(() => requireSecure(plain, false), /found the server http:\/\/127.0.0.1:1, wanted https/);
  for (const access of [insecure, plain]) t.equal(requireSecure(access, true), access);
  const { server, url } = await secureServer(t as Tap);
  const stranger = readKubeconfig(kubeconfig('stranger', { server: url }));
  await t.rejects(asker(t as Tap, stranger, server)(), /certificate/, 'an authority that nobody named');
  const renamed = { ...stranger, ca: { path: AUTHORITY.caPath }, serverName: 'other' };
  await t.rejects(asker(t as Tap, renamed, server)(), /list pods: .*altnames/, 'another name');
  t.equal(server.requests.length, 0, 'no request was sent');
  t.equal(await asker(t as Tap, { ...renamed, serverName: 'kubernetes' }, server)(), 'Bearer abc');
});

t.test('a service account is read from its files, each time anew', async (t) => {
  const directory = join(DIRECTORY, 'account');
  mkdirSync(directory);
  const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' };
  t.throws(() => inClusterAccess({}, directory), /found no KUBERNETES_SERVICE_HOST/);
  t.throws(() => inClusterAccess(env, directory), /found no .*token, wanted a pod with a service account/);
  writeFileSync(join(directory, 'token'), 'first\n');
  writeFileSync(join(directory, 'ca.crt'), AUTHORITY.ca);
  const { server, url } = await secureServer(t as Tap);
  t.equal(inClusterAccess({ KUBERNETES_SERVICE_HOST: 'fd00::1' }, directory).server, 'https://[fd00::1]:443');
  const access = inClusterAccess({ ...env, KUBERNETES_SERVICE_PORT: new URL(url).port }, directory);
  const presented = asker(t as Tap, access, server);
  t.equal(await presented(), 'Bearer first');
  writeFileSync(join(directory, 'token'), 'second, which is longer\n');
  t.equal(await presented(), 'Bearer second, which is longer');
  rmSync(join(directory, 'token'));
  await t.rejects(presented(), /list pods: ENOENT/);
});

t.test('a client certificate is presented, and a renewed one on the next connection', async (t) => {
  const first = AUTHORITY.sign('client', '/O=system:masters/CN=first');
  const { server, url } = await secureServer(t as Tap, true);
  const user = `client-certificate: ${first.certPath}, client-key: ${first.keyPath}`;
  const ask = asker(t as Tap, readKubeconfig(kubeconfig('cert', { server: url, user, cluster: OWN_CA })), server);
  await ask();
  AUTHORITY.sign('client', '/CN=second, with a longer name');
  await ask();
  t.strictSame(server.clients, ['first', 'second, with a longer name']);
});

t.test('a plugin is asked once, again when what it gave runs out, and when it was refused', async (t) => {
  const count = join(DIRECTORY, 'count');
  const given = credential({ token: 'from-plugin', expirationTimestamp: '2030-01-01T00:00:00Z' });
  const command = plugin('good', `echo "$KUBERNETES_EXEC_INFO" >> ${count}\necho $EXTRA >> ${count}\n${given}`);
  const user = `exec: {${EXEC}: ./good, provideClusterInfo: true, env: [{name: EXTRA, value: said}]}`;
  const access = readKubeconfig(kubeconfig('exec', { user, cluster: OWN_CA }));
  t.equal(access.user.exec?.command, command, 'from the folder of the kubeconfig');
  let nowMs = Date.parse('2029-12-31T23:00:00Z');
  const credentials = new Credentials(access, () => nowMs);
  const asked = async (): Promise<number> => {
    const [one] = await Promise.all([credentials.current(), credentials.current()]);
    t.equal(one.authorization, 'Bearer from-plugin');
    return readFileSync(count, 'utf8').split('said').length - 1;
  };
  t.equal(await asked(), 1);
  t.equal(await asked(), 1);
  credentials.refused();
  t.equal(await asked(), 1, 'a moment after it was asked');
  nowMs += 6000;
  credentials.refused();
  t.equal(await asked(), 2);
  nowMs = Date.parse('2029-12-31T23:59:55Z');
  t.equal(await asked(), 3);
  const [line] = readFileSync(count, 'utf8').split('\n');
  const cluster = { server: access.server, 'certificate-authority-data': base64(AUTHORITY.ca) };
  t.match(JSON.parse(line), { kind: 'ExecCredential', spec: { interactive: false, cluster } });
});

t.test('a plugin that fails is a sentence', async (t) => {
  const older = '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"x"}}';
  const cases: [string, RegExp][] = [
    ['echo no such profile >&2; exit 3', /bad: found exit code 3 \(no such profile\), wanted a credential: install it/],
    ['echo nonsense', /found an answer that is no JSON/],
    ['echo null', /found an answer of another kind/],
    [`echo '${older}'`, /found an answer of another kind/],
    [credential({}), /found neither token nor certificate/],
    [credential({ token: 'x', expirationTimestamp: 'soon' }), /found expirationTimestamp soon/],
    ['exec yes', /found SIGKILL/],
  ];
  const user = `exec: {${EXEC}: ./bad, installHint: install it}`;
  const access = readKubeconfig(kubeconfig('exec-bad', { user }));
  for (const [said, sentence] of cases) {
    plugin('bad', said);
    await t.rejects(new Credentials(access).current(), sentence);
  }
  rmSync(join(DIRECTORY, 'bad'));
  const timers = (): number => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;
  const before = timers();
  await t.rejects(new Credentials(access).current(), /ENOENT/);
  t.equal(timers(), before, 'and nothing waits for a plugin that never ran');
});

t.test('a request that is refused as nobody is sent once more with what is current', async (t) => {
  const { server, url } = await secureServer(t as Tap);
  const path = kubeconfig('refused', { server: url, user: 'tokenFile: token', cluster: OWN_CA });
  writeFileSync(join(dirname(path), 'token'), 'abc');
  const ask = asker(t as Tap, readKubeconfig(path), server);
  server.faults.refuse = { status: 401, times: 1 };
  t.equal(await ask(), 'Bearer abc');
  server.faults.refuse = { status: 401, times: 2 };
  await t.rejects(ask(), /list pods: found 401 Refused/);
});

t.test('a proxy is asked for a tunnel, and its refusal is told', async (t) => {
  const { server, url } = await secureServer(t as Tap);
  const seen: (string | undefined)[] = [];
  let answer = '200 OK';
  const proxy = createServer().on('connect', ({ url: target = '', headers }, socket) => {
    seen.push(target, headers['proxy-authorization']);
    const [host, port] = target.split(':');
    const onward = connect(Number(port), host);
    socket.write(`HTTP/1.1 ${answer}\r\n\r\n`);
    socket.pipe(onward).pipe(socket);
    for (const one of [socket, onward]) one.on('error', () => undefined);
    t.teardown(() => [socket, onward].map((one) => one.destroy()));
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.teardown(() => proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const cluster = `${OWN_CA}, proxy-url: "http://me:p%40ss@127.0.0.1:${port}"`;
  const access = readKubeconfig(kubeconfig('proxy', { server: url, cluster }));
  t.equal(await asker(t as Tap, access, server)(), 'Bearer abc');
  t.strictSame(seen, [new URL(url).host, `Basic ${base64('me:p@ss')}`]);
  answer = '403 No';
  await t.rejects(asker(t as Tap, access, server)(), /list pods: the proxy .* answered 403, wanted 200/);
});
