/**
 * `sluice record`: whole frames of chosen traffic, what led to a drop, and what is left when whoever records dies; read by tshark.
 *
 *   x/web (veth) ── dataplane ──┬─ x/db      HTTP on 8080 (any request) and 8081 (GET /public), policy: from web
 *                               └─ x/other   no policy
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { programPath } from '../../linux/programs.ts';
import { RECORDING_FILE } from '../../policy-maps/recording-map.ts';
import { type Background, Cleanup, inNetns, isListening, makeNetns, start, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slrc${process.pid.toString(36)}`;
const host = `${name}-host`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
await makeNetns(cleanup, host);
const options = { name, cleanup, netns: host, netnsPrefix: `${name}-`, createNamespaces: true };
const instance = await SluiceInstance.start(options);
t.teardown(() => instance.stop());

const pod = (app: string): string =>
  `{ apiVersion: v1, kind: Pod, metadata: { name: ${app}, namespace: x, labels: { app: ${app} } } }\n---\n`;
await instance.send(`${pod('web')}${pod('db')}${pod('other')}apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: db, namespace: x }
spec:
  endpointSelector: { matchLabels: { app: db } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: web } }]
      toPorts:
        - ports: [{ port: "8080", protocol: TCP }]
        - ports: [{ port: "8081", protocol: TCP }]
          rules: { http: [{ method: GET, path: /public }] }
`);
await instance.untilReady(['x/web', 'x/db', 'x/other']);
const endpoints: { pod: string; ipv4: string; identity: number; id: number }[] = await instance.read('/v1/endpoints');
const [web, db, other] = ['web', 'db', 'other'].map((app) => endpoints.find((one) => one.pod === app)!);

mkdirSync(join(dir, 'served'));
const content = randomBytes(600_000);
writeFileSync(join(dir, 'served/blob'), content);
writeFileSync(join(dir, 'served/public'), 'public');
for (const [app, port] of [
  ['db', 8080],
  ['db', 8081],
  ['other', 8080],
] as const) {
  const netns = instance.netnsOf(`x/${app}`);
  const server = start(inNetns(netns, ['python3', '-m', 'http.server', '-d', join(dir, 'served'), String(port)]));
  cleanup.add(() => server.child.kill('SIGKILL'));
  await waitFor('the server', () => isListening(netns, port));
}

const get = (url: string) => instance.inPod('x/web', ['curl', '-s', '-m', '20', '-o', '/dev/null', `http://${url}`]);

/** Begins to record, and waits until it does. */
async function recording(file: string, ...words: string[]): Promise<Background> {
  const argv = [process.execPath, programPath('sluice'), 'record', '-w', file, ...words, '--run-dir', instance.runDir];
  const recorder = start(argv);
  cleanup.add(() => recorder.child.kill('SIGKILL'));
  await waitFor('the recording', () => /^recording into/.test(recorder.output()));
  return recorder;
}

const ended = ({ child }: Background): Promise<void> =>
  waitFor('its end', () => child.exitCode !== null || child.signalCode !== null);

async function finished(recorder: Background): Promise<string> {
  recorder.child.kill('SIGINT');
  await ended(recorder);
  return recorder.output();
}

/** Fields of each frame. */
function tshark(file: string, ...fields: string[]): string[][] {
  const list = fields.flatMap((field) => ['-e', field]);
  const text = execFileSync('tshark', ['-r', file, '-T', 'fields', '-E', 'separator=|', ...list], { encoding: 'utf8' });
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => line.split('|'));
}

t.test('frames are whole: what was fetched can be taken out of the file', async (t) => {
  const file = join(dir, 'whole.pcapng');
  const recorder = await recording(file, '--pod', 'x/db', '--port', '8080');
  t.equal((await get(`${db.ipv4}:8080/blob`)).code, 0);
  t.equal((await get(`${db.ipv4}:8081/public`)).code, 0, 'another port');
  t.match(await finished(recorder), /\n\d+ frames written to [^,\n]*\n$/);
  t.equal(statSync(file).mode & 0o777, 0o600);
  mkdirSync(join(dir, 'objects'));
  execFileSync('tshark', ['-r', file, '-q', '--export-objects', `http,${join(dir, 'objects')}`], { stdio: 'ignore' });
  t.strictSame(readdirSync(join(dir, 'objects')), ['blob']);
  t.ok(readFileSync(join(dir, 'objects/blob')).equals(content), 'byte for byte');
  const frames = tshark(
    file,
    'tcp.port',
    'frame.comment',
    'frame.interface_name',
    'frame.interface_description',
    'frame.len',
    'frame.cap_len',
  );
  t.ok(frames.every(([ports, , , , length, captured]) => /\b8080\b/.test(ports) && length === captured));
  t.match(
    frames[0][1],
    new RegExp(
      `^FORWARDED INGRESS; identities ${web.identity} \\(x/web\\) -> ${db.identity} \\(x/db\\); ` +
        'egress allowed by reserved/allow-any-egress; ingress allowed by CiliumNetworkPolicy/x/db; .*to-endpoint FORWARDED \\(TCP Flags: SYN\\)',
    ),
  );
  t.strictSame(
    new Set(frames.map(([, , interfaceName, description]) => `${interfaceName.replace(/\d+$/, 'N')} ${description}`))
      .size,
    2,
    'an interface for each of the two',
  );
  t.ok(frames.some(([, , , description]) => description === `x/db, endpoint ${db.id}`));
});

t.test('a request that is denied is there with the answer that was made for it', async (t) => {
  const file = join(dir, 'denied.pcapng');
  const recorder = await recording(file, '--pod', 'x/db', '--port', '8081');
  await get(`${db.ipv4}:8081/secret`);
  await finished(recorder);
  const frames = tshark(file, 'http.response.code', 'http.request.uri', 'frame.comment');
  t.ok(
    frames.some(([, uri]) => uri === '/secret'),
    'the request',
  );
  const answer = frames.find(([code]) => code === '403');
  t.match(answer?.[2], /identities .* \(x\/db\) -> .* \(x\/web\).* from-proxy FORWARDED/);
});

t.test('before a drop, what its two ends said to each other is written, and nothing else', async (t) => {
  const file = join(dir, 'drops.pcapng');
  const recorder = await recording(file, '--before-drop', '60s', '--from-pod', 'x/web');
  await get(`${other.ipv4}:8080/public`);
  await get(`${db.ipv4}:8080/public`);
  t.equal((await instance.inPod('x/web', ['curl', '-s', '-m', '0.2', `http://${db.ipv4}:9999`])).code, 28);
  t.match(await finished(recorder), /\n\d+ frames written to [^,\n]*\n$/);
  const frames = tshark(file, 'ip.dst', 'tcp.dstport', 'frame.comment');
  t.ok(
    frames.every(([to]) => to === db.ipv4),
    'nothing of another pair',
  );
  const first = frames.findIndex(([, port]) => port === '9999');
  t.ok(first >= 4, 'a whole connection before the drop');
  for (const [, port, comment] of frames.slice(0, first)) {
    t.equal(port, '8080');
    t.match(comment, /^\d\.\d{3} s before a drop; FORWARDED/);
  }
  t.match(frames[first][2], /^DROPPED POLICY_DENIED INGRESS; .*ingress denied by CiliumNetworkPolicy\/x\/db/);
});

t.test('one records at a time, and who is killed leaves nothing behind', async (t) => {
  const pinned = join(instance.runDir, 'maps', RECORDING_FILE);
  const recorder = await recording(join(dir, 'killed.pcapng'));
  t.ok(existsSync(pinned));
  t.equal(statSync(pinned).mode & 0o777, 0o600);
  const second = await instance.cli('record', '-w', join(dir, 'second.pcapng'));
  t.match(second, { code: 1, stderr: /409: record frames: somebody else records already/ });
  recorder.child.kill('SIGKILL');
  await waitFor('the recording to go', () => !existsSync(pinned));
  const file = join(dir, 'full.pcapng');
  const next = await recording(file, '--max-size', '8KiB', '--snaplen', '1000');
  await get(`${db.ipv4}:8080/blob`);
  await ended(next);
  t.match(next.output(), /\n\d+ frames written to [^\n]*, ended by --max-size\n/);
  t.ok(statSync(file).size <= 8192);
  t.ok(Math.max(...tshark(file, 'frame.cap_len').map(([length]) => Number(length))) <= 1000);
});
