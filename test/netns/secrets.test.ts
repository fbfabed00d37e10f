/**
 * HTTP rules that compare a header with a secret: what passes, what changes under a living connection, and that the value is
 * found nowhere that others read.
 *
 *   <name>-shop-client ── Sluice ── <name>-shop-web   node examples/server.mjs
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { Cleanup, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';
import { Asker } from './asker.ts';

const PORT = 8080;
const WEB = '10.244.0.11';
/** Found in no text by chance. */
const VALUES = ['first-s3cret-Vq7', 'second-s3cret-Vq7', 'filed-s3cret-Vq7'];
const [FIRST, SECOND, FILED] = VALUES;

const cleanup = new Cleanup();
const name = `slhs${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
const secretsDir = join(dir, 'secrets');
const stateDir = join(dir, 'state');
mkdirSync(secretsDir, { mode: 0o700 });
writeFileSync(
  join(dir, 'rig.yaml'),
  `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop, labels: { app: client } }
spec: { containers: [{ name: shell, image: example/shell }] }
status: { podIPs: [{ ip: 10.244.0.10 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec:
  containers:
    - name: server
      image: example/server
      command: [node, examples/server.mjs, "${PORT}"]
      ports: [{ containerPort: ${PORT} }]
status: { podIPs: [{ ip: ${WEB} }] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [{ port: "${PORT}", protocol: TCP }]
          rules:
            http:
              - { path: /asked, headerMatches: [{ name: X-Token, secret: { name: token } }] }
              - { path: /given, headerMatches: [{ name: X-Token, mismatch: REPLACE, secret: { name: token } }] }
              - { path: /open }
`,
);
const config = `secretsDir: ${secretsDir}\nstateDir: ${stateDir}\n`;
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'), config);
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());

const asker = new Asker(instance.netnsOf('shop/client'), cleanup, WEB, PORT, 1);
t.teardown(() => asker.end());
const asked = async (token?: string): Promise<string> =>
  `${await asker.ask('/asked', token === undefined ? {} : { 'X-Token': token })} ${await asker.ask('/given', { 'X-Token': 'other' })}`;

async function applySecret(value: string): Promise<void> {
  const file = join(dir, 'secret.yaml');
  const text = `apiVersion: v1\nkind: Secret\nmetadata: { name: token, namespace: shop }\nstringData: { token: ${value} }\n`;
  writeFileSync(file, text, { mode: 0o600 });
  const { code, stdout, stderr } = await instance.cli('apply', '-f', file);
  if (code !== 0) throw new Error(`apply: ${stdout}${stderr}`);
  rmSync(file);
}

const status = async () => (await instance.cli('status')).stdout;

t.test('rules follow their secret at the next request of a living connection', async (t) => {
  t.equal(await asker.ask('/open'), '200');
  const { port } = asker;
  t.equal(await asked(FIRST), '403 403', 'no secret: nothing matches');
  t.match(await status(), /read secret shop\/token for header X-Token: found no such secret/);
  await applySecret(FIRST);
  t.equal(await asked(FIRST), '200 200');
  t.equal(await asked(), '403 200', 'the action puts in what is missing');
  t.equal(await asked(SECOND), '403 200');
  t.notMatch(await status(), /read secret/);
  await applySecret(SECOND);
  t.equal(await asked(FIRST), '403 200');
  t.equal(await asked(SECOND), '200 200');
  mkdirSync(join(secretsDir, 'shop/token'), { recursive: true, mode: 0o700 });
  writeFileSync(join(secretsDir, 'shop/token/key'), FILED, { mode: 0o600 });
  await waitFor('the file to count', async () => (await asker.ask('/asked', { 'X-Token': FILED })) === '200');
  t.equal(await asked(SECOND), '403 200', 'a file counts before the object');
  t.equal(asker.port, port, 'all of it on one connection');
});

/** Files below a directory that hold one of the values. */
function filesWith(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => VALUES.some((value) => holds(readFileSync(file), value)));
}

const holds = (bytes: Buffer, value: string): boolean =>
  bytes.includes(value) || bytes.includes(Buffer.from(value).toString('base64'));

t.test('the value is told nowhere, and lies where root alone reads it', async (t) => {
  const outputs: Record<string, string> = {};
  for (const words of [
    'status', 'status -o json', 'get secrets', 'get secret token -n shop -o yaml', 'get secret token -n shop -o json', 'describe secret token -n shop',
    'get all -A -o yaml', 'get cnp web -n shop -o yaml', 'endpoint list -o json', 'policy get', 'policy get -o json', 'observe --last 1000', 'observe --last 1000 -o json',
    'policy mapstate shop/web', 'map list', 'health',
  ]) {
    const { code, stdout, stderr } = await instance.cli(...words.split(' '));
    outputs[words] = stdout + stderr;
    t.equal(code, 0, `${words}: ${stderr}`);
  } // biome-ignore format: a list of commands
  for (const path of ['/v1/objects', '/v1/world', '/v1/policies', '/v1/status', '/v1/flows?last=1000'])
    outputs[path] = (await instance.call('GET', path)).text;
  t.match(outputs['get secret token -n shop -o yaml'], /token: <hidden>/, 'its keys are shown');
  t.match(outputs['observe --last 1000 -o json'], /\[redacted\]/, 'the header is told without what is in it');
  outputs['the log'] = instance.agent.output();
  const archive = join(dir, 'bugtool.tar.gz');
  t.match(await instance.cli('bugtool', '-o', archive), { code: 0 });
  outputs['bugtool'] = gunzipSync(readFileSync(archive)).toString('latin1');
  t.match(outputs['bugtool'], /secretsDir: /, 'the configuration in force is in the archive');
  t.match(outputs['bugtool'], new RegExp(`"ifname": "${name}_host"`), 'and our links are');
  for (const [what, text] of Object.entries(outputs)) {
    for (const value of VALUES) t.notOk(holds(Buffer.from(text), value), `${what}: ${value}`);
  }
  const files = [...filesWith(instance.runDir), ...filesWith(stateDir)];
  t.ok(
    files.some((file) => file.endsWith('/l7_rules')),
    `the rules are kept: ${files.join()}`,
  );
  t.ok(
    files.some((file) => file.startsWith(stateDir)),
    'and so are the objects',
  );
  for (const file of files) t.equal(statSync(file).mode & 0o077, 0, `${file} is for root only`);
});

t.test('secrets outlive the agent', async (t) => {
  rmSync(join(secretsDir, 'shop'), { recursive: true });
  await waitFor('the object to count again', async () => (await asker.ask('/asked', { 'X-Token': SECOND })) === '200');
  instance.agent.child.kill('SIGKILL');
  await instance.restartAgent();
  await instance.untilReady(['shop/web', 'shop/client']);
  t.equal(await asked(SECOND), '200 200');
  t.equal(await asked(FIRST), '403 200');
  t.notMatch(await status(), /read secret/);
});
