/** Names of images, logins, configurations and podman as a program that may do anything; podman itself is in test/netns/images.test.ts. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { waitFor } from '../../test/command.ts';
import { commandInImage } from '../images/image-command.ts';
import { isStandIn } from '../images/image-table.ts';
import { idsOf, userInImage } from '../plan/container-ids.ts';
import { readImageConfig } from './image-config.ts';
import { type ImageReference, pullPolicyOf, readImageReference } from './image-reference.ts';
import { runPodman, Turns } from './podman.ts';
import { PodmanImages } from './podman-images.ts';
import { authFileFor } from './registry-secrets.ts';

const HEX = 'a'.repeat(64);
const readLines = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');

t.test('readImageReference() means what Kubernetes means', (t) => {
  const names: readonly (readonly [text: string, name: string, local?: string])[] = [
    ['busybox', 'docker.io/library/busybox:latest', 'localhost/busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'localhost/busybox:1.36'],
    ['my/shop', 'docker.io/my/shop:latest', 'localhost/my/shop:latest'],
    ['index.docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['docker.io/my/shop:2', 'docker.io/my/shop:2'],
    ['quay.io/a/b/c:v1', 'quay.io/a/b/c:v1'],
    ['localhost/shop', 'localhost/shop:latest'],
    ['localhost:5000/shop', 'localhost:5000/shop:latest'],
    ['registry:5000/shop:1', 'registry:5000/shop:1'],
    ['[::1]:5000/shop', '[::1]:5000/shop:latest'],
    [`shop:1@sha256:${HEX}`, `docker.io/library/shop@sha256:${HEX}`, `localhost/shop@sha256:${HEX}`],
  ];
  for (const [text, name, localName] of names)
    t.match(readImageReference(text), { name, localName: localName ?? undefined }, text);
  t.equal(readImageReference('quay.io/x')?.localName, undefined);
  for (const bad of [
    '',
    '-x',
    '--root=/',
    'Shop',
    'a b',
    'a//b',
    '/a',
    'a/',
    'a:',
    'a:-x',
    'a@b',
    'a\n',
    '../x',
    'a:b:c',
    'a'.repeat(256),
    'dir:/etc',
    'docker://x',
    'x.io/',
    'https://x.io/y',
  ])
    t.equal(readImageReference(bad), undefined, JSON.stringify(bad));
  const policy = (text: string, asked?: string): string =>
    pullPolicyOf(asked, readImageReference(text) as ImageReference);
  t.strictSame(
    [policy('a'), policy('a:latest'), policy('a:1'), policy(`a@sha256:${HEX}`), policy('a', 'Never')],
    ['Always', 'Always', 'IfNotPresent', 'IfNotPresent', 'Never'],
  );
  t.end();
});

t.test('authFileFor() gives podman the login of a registry, and nothing else of a secret', (t) => {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
  const secret = (auths: object, more: object = {}): any => ({
    data: { '.dockerconfigjson': encode({ auths, ...more }) },
  });
  const auth = (word: string): string => Buffer.from(word).toString('base64');
  const loginFor = (image: string, ...secrets: any[]): string | undefined => {
    const reference = readImageReference(image) as ImageReference;
    const text = authFileFor(reference, secrets);
    if (text === undefined) return undefined;
    const { auths, ...others } = JSON.parse(text);
    t.strictSame([Object.keys(auths), others], [[reference.registry], {}]);
    return Buffer.from(auths[reference.registry].auth, 'base64').toString();
  };
  const helpers = { credHelpers: { 'x.io': 'sh' }, credsStore: 'sh' };
  t.equal(loginFor('x.io/a', secret({ 'x.io': { auth: auth('u:p') } }, helpers)), 'u:p');
  t.equal(loginFor('x.io/a', secret({ 'https://x.io/v2/': { username: 'u', password: 'q:r' } })), 'u:q:r');
  t.equal(loginFor('a', secret({ 'https://index.docker.io/v1/': { auth: auth('docker:p') } })), 'docker:p');
  t.equal(
    loginFor('x.io:5000/a', secret({ 'x.io': { auth: auth('u:p') } })),
    undefined,
    'another port is another registry',
  );
  t.equal(loginFor('x.io/a', secret({ 'y.x.io': { auth: auth('u:p') } })), undefined);
  t.equal(loginFor('b.x.io/a', secret({ '*.x.io': { auth: auth('u:p') } })), 'u:p');
  t.equal(
    loginFor('c.b.x.io/a', secret({ '*.x.io': { auth: auth('u:p') } })),
    undefined,
    'a star is one part of a name',
  );
  const two = secret({ 'x.io': { auth: auth('all:p') }, 'x.io/team': { auth: auth('team:p') } });
  t.equal(loginFor('x.io/team/a', two), 'team:p', 'the longest path counts');
  t.equal(loginFor('x.io/teams/a', two), 'all:p', 'a path ends where a part ends');
  t.equal(loginFor('x.io/a', undefined, secret({}), two), 'all:p', 'of several secrets the first that fits');
  t.equal(loginFor('x.io/a', { data: { '.dockercfg': encode({ 'x.io': { auth: auth('old:p') } }) } }), 'old:p');
  for (const data of [
    {},
    { '.dockerconfigjson': 7 },
    { '.dockerconfigjson': 'e30' },
    { '.dockerconfigjson': encode([1]) },
    { '.dockerconfigjson': encode({ auths: { 'x.io': 3 } }) },
  ])
    t.equal(loginFor('x.io/a', { data }), undefined);
  t.end();
});

t.test('readImageConfig() reads what podman tells, and refuses what has no shape', (t) => {
  const read = (config: unknown, more: object = {}) =>
    readImageConfig(
      JSON.stringify([{ Id: HEX, RepoDigests: null, Size: 5, Config: config, ...more }]),
      constants.signals,
    );
  t.match(read(null), {
    digest: `sha256:${HEX}`,
    bytes: 5,
    user: '',
    workingDir: '/',
    stopSignal: 15,
    cmd: [],
    entrypoint: [],
  });
  const whole = read(
    { User: 'bob', Env: ['A=b=c', 'EMPTY='], Entrypoint: ['e'], Cmd: ['c'], WorkingDir: 'w', StopSignal: 'SIGQUIT' },
    { RepoDigests: ['x.io/a@sha256:1'] },
  );
  t.match(whole, {
    digest: 'x.io/a@sha256:1',
    user: 'bob',
    workingDir: '/w',
    stopSignal: 3,
    entrypoint: ['e'],
    cmd: ['c'],
  });
  t.strictSame(
    [...whole.env],
    [
      ['A', 'b=c'],
      ['EMPTY', ''],
    ],
  );
  const signals = ['2', 'int', 'SIGRTMIN+3', 'RTMAX-1', 'SIGRTMIN+60', '0', '99', 'nonsense', 'constructor'];
  t.strictSame(
    signals.map((StopSignal) => read({ StopSignal }).stopSignal),
    [2, 2, 37, 63, 15, 15, 15, 15, 15],
  );
  for (const bad of [
    { Env: 'x' },
    { Env: ['=x'] },
    { Env: [1] },
    { Cmd: ['a\0b'] },
    { User: 'a\0' },
    { User: {} },
    { WorkingDir: 'w'.repeat(5000) },
    3,
  ])
    t.throws(() => read(bad), /read the image's configuration/, JSON.stringify(bad));
  t.throws(() => read({}, { Id: '../x' }), /Id: found/);
  t.end();
});

t.test('commandInImage() and ids follow pod, then image', (t) => {
  const image = { entrypoint: ['e', '1'], cmd: ['c'] };
  const of = (command: string[], args: string[]): string => commandInImage({ command, args }, image).join(' ');
  t.strictSame([of([], []), of([], ['a']), of(['x'], []), of(['x'], ['a'])], ['e 1 c', 'e 1 a', 'x', 'x a']);
  const pod = (securityContext: object): any => ({ spec: { securityContext } });
  t.equal(userInImage(pod({ runAsUser: 5 }), {}, 'bob:men'), '5');
  t.equal(userInImage(pod({}), {}, 'bob:men'), 'bob:men');
  t.equal(userInImage(pod({}), {}, ''), '0');
  const bob = { uid: 9, gid: 8, groups: [7], home: '/b' };
  t.strictSame(idsOf(pod({ fsGroup: 6, supplementalGroups: [7] }), {}, bob), {
    uid: 9,
    gid: 8,
    groups: [7, 6],
    home: '/b',
  });
  t.strictSame(idsOf(pod({ runAsGroup: 3 }), {}, bob).gid, 3);
  const root = { ...bob, uid: 0 };
  t.throws(() => idsOf(pod({ runAsNonRoot: true }), {}, root), /runAsNonRoot and image will run as root/);
  t.equal(idsOf(pod({ runAsNonRoot: true }), {}, bob).uid, 9);
  t.equal(idsOf(pod({ runAsNonRoot: true }), {}).uid, 65534);
  t.ok(isStandIn('x.io/my/shop:1', { 'my/shop': ['true'] }));
  t.notOk(isStandIn('nginx', {}), 'what stands in without being asked for does not count');
  t.end();
});

/** A podman of our own. @returns ends it */
function pretend(t: { teardown: (end: () => void) => unknown }, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-podman-'));
  const { PATH } = process.env;
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/podman'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'bin/podman'), 0o755);
  process.env.PATH = `${join(folder, 'bin')}:${PATH}`;
  process.env.FAKE = folder;
  process.env.CONTAINERS_FAKE = folder;
  t.teardown(() => {
    process.env.PATH = PATH;
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

t.test('a podman that hangs, talks without end or is missing is a sentence', async (t) => {
  pretend(
    t,
    `case "$1 $2" in
"image hang") sleep 1000 & echo $! > $CONTAINERS_FAKE/pid; wait ;;
"image talk") exec cat /dev/zero ;;
"image fail") printf 'Trying...\\nError: bad \\033[2Jthing\\nmore of it\\n' >&2; exit 125 ;;
"image env") env ;;
esac`,
  );
  const call = (verb: string, timeoutMs = 10_000, signal?: AbortSignal) =>
    runPodman(['image', verb], { timeoutMs, signal });
  await t.rejects(call('hang', 300), { message: 'podman image hang: no answer within 0.3 s', exit: undefined });
  const pid = Number(readFileSync(join(process.env.FAKE ?? '', 'pid'), 'utf8'));
  await waitFor('what it started to end with it', () => !existsSync(`/proc/${pid}/fd/0`));
  const ending = new AbortController();
  const ended = t.rejects(call('hang', 10_000, ending.signal), { message: 'podman image hang: no longer wanted' });
  ending.abort();
  await ended;
  await t.rejects(call('hang', 10_000, ending.signal), { message: 'podman: no longer wanted' });
  await t.rejects(call('talk'), /it said more than 4194304 bytes/);
  await t.rejects(call('fail'), { message: 'bad  [2Jthing more of it', exit: 125 });
  process.env.NOTIFY_SOCKET = '/x';
  const said = await call('env');
  delete process.env.NOTIFY_SOCKET;
  t.match(said, /CONTAINERS_FAKE=/);
  t.notMatch(said, /NOTIFY_SOCKET|^FAKE=/m, "what is the agent's alone stays there");
  const { PATH } = process.env;
  process.env.PATH = '/nowhere';
  await t.rejects(call('env'), { message: 'podman is not installed' });
  process.env.PATH = PATH;
});

t.test('an image is mounted once for all that start with it, and unmounted after the last', async (t) => {
  const folder = pretend(
    t,
    `echo "$2" >> $CONTAINERS_FAKE/calls
case "$2 $4" in
mount*bad*) echo 'Error: no such image' >&2; exit 125 ;;
mount*) echo /mnt/image ;;
esac`,
  );
  const calls = (): string[] => (existsSync(join(folder, 'calls')) ? readLines(join(folder, 'calls')) : []);
  const warnings: string[] = [];
  const images = new PodmanImages(join(folder, 'images'), (_, text) => void warnings.push(text));
  const roots = await Promise.all([1, 2, 3].map(() => images.hold(HEX, (root) => Promise.resolve(root))));
  t.strictSame(roots, ['/mnt/image', '/mnt/image', '/mnt/image']);
  await images.recover();
  t.strictSame(calls(), ['mount', 'unmount']);
  await t.rejects(
    images.hold(HEX, () => Promise.reject(new Error('the launcher'))),
    { message: 'the launcher' },
  );
  await images.recover();
  t.strictSame(calls(), ['mount', 'unmount', 'mount', 'unmount'], 'also after a failure');
  await t.rejects(
    images.hold(`bad${HEX}`, () => Promise.resolve()),
    { message: 'no such image' },
  );
  await images.recover();
  t.equal(calls().length, 5, 'what was not mounted is not unmounted: the mount of somebody else would go');
  writeFileSync(join(folder, 'images/mounts', `${HEX}.0f`), '');
  writeFileSync(join(folder, 'images/mounts/other'), '');
  await new PodmanImages(join(folder, 'images'), () => {}).recover();
  t.equal(calls().length, 6);
  t.strictSame([readdirSync(join(folder, 'images/mounts')), warnings], [['other'], []]);
});

t.test('an image is fetched in its turn, and its password is gone afterwards', async (t) => {
  const folder = pretend(
    t,
    `if [ "$4" = --authfile ]; then stat -c %a "$5" >> $CONTAINERS_FAKE/calls; cat "$5" >> $CONTAINERS_FAKE/calls; fi
echo " $*" >> $CONTAINERS_FAKE/calls; [ "$5" != docker.io/library/bad:latest ]`,
  );
  const images = new PodmanImages(join(folder, 'images'), () => {});
  const { signal } = new AbortController();
  const pull = (image: string, isNeeded: boolean, authFile?: string) =>
    images.pull(readImageReference(image) as ImageReference, {
      signal,
      isNeeded: () => Promise.resolve(isNeeded),
      authFile,
    });
  await pull('a', false);
  await pull('a', true);
  await pull('b', true, 'PASSWORD\n');
  await t.rejects(pull('bad', true));
  const [plain, mode, password, secret] = readLines(join(folder, 'calls'));
  t.equal(plain, ' image pull --quiet -- docker.io/library/a:latest');
  t.strictSame([mode, password], ['600', 'PASSWORD']);
  t.match(
    secret,
    /^ image pull --quiet --authfile \S+\/images\/auth\/\S+\/auth\.json -- docker\.io\/library\/b:latest$/,
  );
  t.strictSame(readdirSync(join(folder, 'images/auth')), []);
});

t.test('Turns lets so many in at once, in their order', async (t) => {
  const turns = new Turns(2);
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) =>
    turns.take(async () => {
      log.push(name);
      await new Promise<void>((resolve) => ends.push(resolve));
    });
  const all = ['a', 'b', 'c', 'd'].map((name) => work(name));
  const failing = turns.take(() => Promise.reject(new Error('x'))).catch(() => log.push('failed'));
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    t.ok(log.length <= i + 2, log.join());
    ends.shift()?.();
  }
  await Promise.all([...all, failing]);
  t.strictSame(log, ['a', 'b', 'c', 'd', 'failed']);
});
