/**
 * Rigs beside what is not theirs: nothing that is there already is taken, a program that ends is told, and whatever ends
 * `rig up`, `rig down` finds all that it made.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { programPath } from '../../linux/programs.ts';
import { Cleanup, must, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const CLI = programPath('sluice');
const name = `slq${process.pid.toString(36)}`;
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
const cleanup = new Cleanup();
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
t.teardown(() => cleanup.finish());
t.jobs = 1;

let instance: SluiceInstance;
t.before(async () => {
  const config = 'standIns: { "own/*": [sh, -c, "echo in place of an image; exec sleep 3600"] }';
  instance = await SluiceInstance.start({ name, cleanup, netnsPrefix: `${name}-`, config });
});
t.teardown(() => instance.stop());

/** A file of this text. */
function file(path: string, text: string): string {
  const full = join(folder, path);
  mkdirSync(join(full, '..'), { recursive: true });
  writeFileSync(full, text);
  return full;
}

const podOf = (pod: string, spec = '{}', annotations = '{}'): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${pod}, namespace: default, labels: { app: ${pod} }, annotations: ${annotations} }\nspec: ${spec}\n---\n`;
const containerOf = (command: string, more = ''): string =>
  `{ ${more} containers: [{ name: c, image: none, command: [sh, -c, "${command}"] }] }`;
const policyOf = (policy: string): string =>
  `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: ${policy}, namespace: default }\nspec: { podSelector: {} }\n---\n`;
const objects = async (): Promise<string> => (await instance.cli('get', 'all', '-A', '-o', 'name')).stdout;
const namespaces = (): string[] => readdirSync('/run/netns').filter((one) => one.startsWith(`${name}-`));

t.test('rig up does not take a pod or a policy that somebody applied', async (t) => {
  const mine = `${name}-mine`;
  await must(['ip', 'netns', 'add', mine]);
  cleanup.command('ip', 'netns', 'del', mine);
  t.equal(
    (await instance.cli('apply', '-f', file('mine.yaml', podOf('web', '{}', `{ sluice.io/netns: ${mine} }`)))).code,
    0,
  );
  t.equal((await instance.cli('apply', '-f', file('policy.yaml', policyOf('shut')))).code, 0);
  const before = await objects();
  const up = await instance.cli(
    'rig',
    'up',
    '-f',
    file('shop/manifests.yaml', podOf('web') + podOf('db') + policyOf('shut')),
  );
  t.equal(up.code, 1);
  t.match(
    up.stderr,
    /raise rig shop: Pod default\/web is there already and is not this rig's: `sluice delete pod web -n default` first/,
  );
  t.match(up.stderr, /NetworkPolicy default\/shut is there already/);
  t.equal(await objects(), before);
  t.strictSame(namespaces(), [mine]);
  t.equal((await instance.cli('rig', 'list', '-o', 'name')).stdout, '');
  const other = await instance.cli(
    'rig',
    'up',
    '-f',
    file('other.yaml', podOf('other', '{}', `{ sluice.io/netns: ${mine} }`)),
  );
  t.match(other, { code: 1, stderr: /network namespace \S+-mine is there already .*it is that of Pod default\/web/ });
  t.equal((await instance.cli('delete', 'pod/web', 'netpol/shut')).code, 0);
});

t.test('a rig does not take the pods of another, and is named after its folder', async (t) => {
  const manifests = file('shop/manifests.yaml', podOf('web', containerOf('sleep 3600')));
  t.match(await instance.cli('rig', 'up', '-f', manifests), { code: 0, stdout: 'rig shop is up: 1 pod, 1 program\n' });
  const second = await instance.cli('rig', 'up', '-f', manifests, '--rig', 'second');
  t.match(second, { code: 1, stderr: /Pod default\/web is there .*it is rig shop's: `sluice rig down shop` first/ });
  t.match(await instance.cli('rig', 'list', '--no-headers'), { stdout: /^shop +1 +1\/1 [^\n]*\n$/ });
});

t.test('rig down takes what was applied from its folder, and leaves what was not', async (t) => {
  const own = file('shop/policies/own.yaml', policyOf('own'));
  t.equal((await instance.cli('apply', '-f', own, '-f', file('strange.yaml', policyOf('strange')))).code, 0);
  t.match(await instance.cli('rig', 'down', '-f', join(folder, 'shop/')), { code: 0, stdout: 'rig shop is down\n' });
  t.match(await objects(), /strange/);
  t.notMatch(await objects(), /own|web/);
  t.equal((await instance.cli('delete', 'netpol', 'strange')).code, 0);
});

t.test("a namespace that holds what is not the rig's stays", async (t) => {
  const ns = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: default }\n---\n';
  t.equal((await instance.cli('rig', 'up', '-f', file('room.yaml', ns + podOf('web')))).code, 0);
  t.equal((await instance.cli('apply', '-f', file('strange.yaml', policyOf('strange')))).code, 0);
  const down = await instance.cli('rig', 'down', 'room');
  t.match(down, { code: 0, stderr: /namespace default stays: it holds what is not the rig's: NetworkPolicy strange/ });
  t.match(await objects(), /strange/);
  t.equal((await instance.cli('delete', 'ns', 'default')).code, 0);
});

t.test('a program that ends is told with its code and last lines', async (t) => {
  const up = (spec: string) => instance.cli('rig', 'up', '-f', file('brief.yaml', podOf('brief', spec)));
  t.match(await up(containerOf('echo boom; exit 3')), {
    code: 1,
    stderr: /run sh -c .* in container c of default\/brief: ended with 3: it said: boom/,
  });
  t.match(await up(containerOf('sleep 0.4')), { code: 1, stderr: /ended with 0: it printed nothing/ });
  t.match(await up(containerOf('kill -KILL $$')), { code: 1, stderr: /ended by SIGKILL/ });
  t.match(await up('{ containers: [{ name: c, command: [/bin/nothing-here] }] }'), { code: 1, stderr: /nothing-here/ });
  t.match(await up(`{ initContainers: [{ name: i, command: [sh, -c, "echo no; exit 9"] }] }`), {
    code: 1,
    stderr: /container i of default\/brief: ended with 9: it said: no/,
  });
  const listening =
    '{ containers: [{ name: c, command: [sh, -c, "echo deaf; sleep 3600"], ports: [{ containerPort: 80 }] }] }';
  const deaf = await instance.cli('rig', 'up', '--wait', '10s', '-f', file('deaf.yaml', podOf('deaf', listening)));
  t.match(deaf, { code: 1, stderr: /does not listen on TCP 80: it said: deaf/ });
  t.strictSame(
    namespaces().filter((one) => !one.endsWith('-mine')),
    [],
  );
  t.match(await up(containerOf('true', 'restartPolicy: Never,')), { code: 0, stdout: /rig brief is up/ });
  t.equal((await instance.cli('rig', 'down', 'brief')).code, 0);
});

t.test('rig down finds all that a killed rig up has made, wherever it was', async (t) => {
  const manifests = file(
    'big.yaml',
    Array.from({ length: 12 }, (_, n) => podOf(`p${n}`, containerOf('sleep 3600'))).join(''),
  );
  for (const reached of [1, 12]) {
    const child = spawn(process.execPath, [CLI, 'rig', 'up', '-f', manifests, '--run-dir', instance.runDir]);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await waitFor(`${reached} namespaces`, () => namespaces().length > reached);
    child.kill('SIGKILL');
    await ended;
    t.equal((await instance.cli('rig', 'down', 'big')).code, 0);
    t.strictSame(
      namespaces().filter((one) => !one.endsWith('-mine')),
      [],
    );
    t.equal(await objects(), '');
    t.notOk(existsSync(join(instance.runDir, 'rig')));
  }
});

t.test('a container of a known image serves without a command, and one that does not run is named', async (t) => {
  const containers = '[{ name: web, image: docker.io/kennethreitz/httpbin }, { name: db, image: "oracle:16" }]';
  const up = await instance.cli('rig', 'up', '-f', file('images.yaml', podOf('bin', `{ containers: ${containers} }`)));
  t.match(up, {
    code: 0,
    stdout: /images is up: 1 pod, 1 program/,
    stderr: /container db of default\/bin: no command, and nothing/,
  });
  const curl = ['curl', '-s', '127.0.0.1/status/418', '-o', '/dev/null', '-w', '%{http_code}'];
  const answer = await run([process.execPath, CLI, 'exec', '--run-dir', instance.runDir, 'bin', '--', ...curl]);
  t.equal(answer.stdout, '418');
  t.equal((await instance.cli('rig', 'down', 'images')).code, 0);
});

t.test('a stand-in of the configuration runs in place of its image', async (t) => {
  const manifests = file('own.yaml', podOf('own', '{ containers: [{ name: c, image: "own/thing:3" }] }'));
  t.match(await instance.cli('rig', 'up', '-f', manifests), { code: 0, stdout: /1 pod, 1 program/, stderr: '' });
  t.equal((await instance.cli('logs', 'own')).stdout, 'in place of an image\n');
  t.equal((await instance.cli('rig', 'down', 'own')).code, 0);
});

t.test(
  'rig up puts documents without a namespace where -n says, and finds them again; run takes an image',
  async (t) => {
    const bare = 'apiVersion: v1\nkind: Pod\nmetadata: { name: bare, labels: { app: bare } }\n';
    const path = file('deep/below/bare.yaml', bare);
    const up = await instance.cli('rig', 'up', '-n', 'east', '-R', '-f', join(path, '../..'));
    t.match(up, { code: 0, stdout: 'rig deep is up: 1 pod, 0 programs\n' });
    t.equal(await objects(), 'pod/bare\n');
    t.match((await instance.cli('get', 'pods', '-n', 'east')).stdout, /^bare .*ready/m);
    t.equal((await instance.cli('rig', 'down', 'deep')).code, 0);
    t.equal(await objects(), '');

    t.match(await instance.cli('run', 'web', '--image=nginx', '--port=8088', '-n', 'east'), {
      code: 0,
      stdout: /pod\/web created/,
    });
    const argv = ['exec', '--run-dir', instance.runDir, 'east/web', '--', 'curl', '-s', '127.0.0.1:8088'];
    t.match((await run([process.execPath, CLI, ...argv])).stdout, /Welcome to nginx/);
    t.equal((await instance.cli('rig', 'down', 'east-web')).code, 0);
  },
);

t.test('commands wait for an agent that has just been started', async (t) => {
  await instance.stop();
  const waiting = instance.cli('status', '--brief', '--timeout', '60s', '--wait');
  const agent = instance.restartAgent();
  t.match(await instance.cli('get', 'pods', '--timeout', '60s'), { code: 0 });
  t.match(await waiting, { code: 0, stdout: 'OK\n' });
  await agent;
});
