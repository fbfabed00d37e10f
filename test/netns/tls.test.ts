/**
 * Server names against real TLS: curl and openssl s_client from a pod, nginx with two names in another. The end that says what it
 * saw is nginx: of a refused hello it has no trace.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, isListening, must, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const WEB = ['10.244.0.11', '[fd00:10:244::11]'];
const PORT = 8443;
const pod = (name: string, last: number) => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }
spec: { containers: [{ name: c, image: none }] }
status: { podIPs: [{ ip: 10.244.0.${last} }, { ip: "fd00:10:244::${last}" }] }
---
`;
const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
${pod('client', 10)}${pod('web', 11)}apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: names, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
    - toEndpoints: [{ matchLabels: { app: web } }]
      toPorts: [{ ports: [{ port: "${PORT}", protocol: TCP }], serverNames: ["*.good.example"] }]
`;

const cleanup = new Cleanup();
const name = `slz${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(join(dir, 'rig.yaml'), MANIFESTS);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());
const client = instance.netnsOf('shop/client');
const web = instance.netnsOf('shop/web');

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', join(dir, 'key.pem')];
await must([
  'openssl',
  'req',
  '-x509',
  '-nodes',
  ...key,
  '-out',
  join(dir, 'crt.pem'),
  '-subj',
  '/CN=good',
  '-days',
  '2',
]);
const site = (server: string) => `server {
    listen [::]:${PORT} ssl ipv6only=off; server_name ${server};
    ssl_certificate ${dir}/crt.pem; ssl_certificate_key ${dir}/key.pem; ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve prime256v1;
    location / { return 200 "this is ${server}\\n"; } }`;
writeFileSync(
  join(dir, 'nginx.conf'),
  `daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log info;
events {}
http { access_log off; ${site('a.good.example')}\n${site('b.bad.example').replace(' ipv6only=off', '')} }
`,
);
const nginx = start(inNetns(web, ['nginx', '-c', join(dir, 'nginx.conf')]));
cleanup.add(() => nginx.child.kill('SIGTERM'));
await waitFor('nginx to listen', () => isListening(web, PORT));

const curl = (server: string, address: string, ...args: string[]) =>
  run(
    inNetns(
      client,
      ['curl', '-skS', '-m', String(PATIENCE_SEC), ...args, '--resolve', `${server}:${PORT}:${address}`].concat(
        `https://${server}:${PORT}/`,
      ),
    ),
  );

t.test('an allowed name passes, another gets an alert, over TLS 1.2 and 1.3, IPv4 and IPv6', async (t) => {
  for (const address of WEB) {
    for (const version of [['--tls-max', '1.2'], ['--tlsv1.3']]) {
      t.match(await curl('a.good.example', address, ...version), { code: 0, stdout: 'this is a.good.example\n' });
      t.match(await curl('b.bad.example', address, ...version), { code: 35, stdout: '', stderr: /access denied/ });
    }
  }
});

t.test('a hello without a name is refused, and so is what is no TLS', async (t) => {
  const connect = ['openssl', 's_client', '-connect', `${WEB[0]}:${PORT}`];
  const nameless = await run(inNetns(client, [...connect, '-noservername']));
  t.match(nameless.stderr, /access denied/);
  const retried = [...connect, '-msg', '-servername', 'x.good.example', '-groups', 'X448:P-256'];
  const { stdout: messages } = await run(inNetns(client, retried));
  t.equal(messages.match(/^>>> .*ClientHello/gm)?.length, 2, 'the server has asked for another hello');
  t.match(messages, /Cipher is [A-Z]/, 'and the second passes like the first');
  t.not((await run(inNetns(client, ['curl', '-sS', `http://${WEB[0]}:${PORT}/`]))).code, 0);
  const { stdout } = await instance.cli('bpf', 'metrics', 'list');
  t.match(stdout, /not-tls/);
});

t.test('flows name the servers, and the policy', async (t) => {
  const find = async (sni: string, verdict: string) =>
    (await instance.flows()).some((flow) => flow.l7?.tlsSNI === sni && flow.verdict === verdict);
  await waitFor('the flow of the allowed name', () => find('a.good.example', 'FORWARDED'));
  await waitFor('the flow of the refused name', () => find('b.bad.example', 'DROPPED'));
  await waitFor('the flow without a name', () => find('', 'DROPPED'));
  const { stdout } = await instance.cli('observe', '--last', '1000', '--protocol', 'tls');
  t.match(stdout, /tls-request DROPPED \(TLS ClientHello b\.bad\.example\)/);
});

/** Says when it is connected, asks for a page when it is told to, and prints what comes. */
const TALKER = `
const socket = require('node:tls').connect(
  { host: '${WEB[0]}', port: ${PORT}, servername: 'a.good.example', rejectUnauthorized: false },
  () => console.log('connected'));
socket.on('data', (data) => console.log(String(data)));
socket.on('error', (error) => console.log('failed ' + error.message));
process.on('SIGUSR2', () => socket.write('GET / HTTP/1.1\\r\\nHost: a.good.example\\r\\n\\r\\n'));
`;

t.test('a connection whose hello has passed outlives the dataplane', async (t) => {
  const talker = start(inNetns(client, [process.execPath, '-e', TALKER]));
  cleanup.add(() => talker.child.kill('SIGKILL'));
  await waitFor('the talker', () => /connected|failed/.test(talker.output()));
  const [dataplane] = instance.dataplanePids();
  process.kill(dataplane, 'SIGKILL');
  await waitFor('another dataplane', () => instance.dataplanePids().some((pid) => pid !== dataplane));
  talker.child.kill('SIGUSR2');
  await waitFor('the page', () => /this is|failed/.test(talker.output()));
  t.match(talker.output(), /this is a\.good\.example/);
  t.match(await curl('b.bad.example', WEB[0]), { code: 35 }, 'the next dataplane judges too');
});
