/**
 * Images by podman: found, fetched from a registry, and run by our own launcher, as people ask for them by kubectl.
 *
 *   <name>-host: sluiced with `container-runtime: podman`, registry on 127.0.0.1:5000 ── pods <name>-default-...
 *
 * podman's state lies in a folder of the test's own.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { Cleanup, inNetns, must, type Outcome, run, start, waitFor } from '../command.ts';
import { kubectls } from '../kubectls.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slim${process.pid.toString(36).slice(-4)}`;
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
const REGISTRY = '127.0.0.1:5000';

/** What the agent's podman and ours read: a storage, registries and logins that are nobody else's. */
const files = {
  CONTAINERS_STORAGE_CONF: `[storage]\ndriver = "overlay"\ngraphroot = "${folder}/images"\nrunroot = "${folder}/run"\n`,
  CONTAINERS_REGISTRIES_CONF: `[[registry]]\nlocation = "${REGISTRY}"\ninsecure = true\n`,
  CONTAINERS_CONF: `[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\ntmp_dir = "${folder}/tmp"\nimage_copy_tmp_dir = "${folder}"\n`,
};
for (const [variable, text] of Object.entries(files)) {
  writeFileSync(join(folder, variable), text);
  process.env[variable] = join(folder, variable);
}
const mountsBelow = (): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(folder));
cleanup.add(() => mountsBelow().forEach((path) => spawnSync('umount', ['-l', path])));

/** busybox, with what it needs. */
function makeRoot(at: string, applets: readonly string[]): string {
  const root = join(folder, at);
  for (const one of ['bin', 'etc', 'tmp']) mkdirSync(join(root, one), { recursive: true });
  const libraries = execFileSync('ldd', ['/bin/busybox'], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  for (const file of ['/bin/busybox', ...libraries]) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    cpSync(file, join(root, file), { dereference: true });
  }
  for (const one of applets) symlinkSync('busybox', join(root, 'bin', one));
  return root;
}

async function importImage(root: string, image: string, changes: readonly string[]): Promise<void> {
  const tar = join(folder, 'layer.tar');
  await must(['tar', '-C', root, '-cf', tar, '.']);
  await must(['podman', 'import', ...changes.flatMap((change) => ['-c', change]), tar, image]);
}

const SHELL = 'sh cat id env pwd ls tar sleep echo stat wget mkdir rm ln'.split(' ');
const root = makeRoot('root', SHELL);
writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nbob:x:1234:77::/home/bob:/bin/sh\n');
writeFileSync(join(root, 'etc/group'), 'men:x:77:\nmore:x:88:x,bob\nothers:x:99:bobby\n');
execFileSync('mknod', [join(root, 'disk'), 'c', '1', '3']);
chmodSync(join(root, 'disk'), 0o666);
chmodSync(join(root, 'tmp'), 0o1777);
const SERVE = 'trap "echo bye; exit 0" INT; echo "began with $*"; while :; do sleep 0.1; done';
await importImage(root, 'localhost/tool:1', [
  'USER bob',
  'ENV GREETING=hello',
  'ENV PATH=/bin',
  `ENTRYPOINT ["sh", "-c", ${JSON.stringify(SERVE)}, "serve"]`,
  'CMD ["the", "default"]',
  'WORKDIR /work/here',
  'STOPSIGNAL SIGINT',
]);
for (const image of ['open/tool', 'private/tool']) {
  mkdirSync(join(folder, 'registry', image), { recursive: true });
  await must(['podman', 'push', 'localhost/tool:1', `dir:${folder}/registry/${image}`]);
}
// Nothing of it is what it seems, and it has no shell.
writeFileSync(join(folder, 'users'), 'daemon:x:0:0::/:/bin/sh\n');
const hostile = makeRoot('hostile', ['sleep', 'cat', 'ls']);
for (const [at, to] of [
  ['dev', '/tmp'],
  ['proc', '/'],
  ['sys', '../../../../../etc'],
  ['etc/passwd', `../../../../../../..${folder}/users`],
  ['etc/hosts', '/bin/busybox'],
  ['etc/resolv.conf', '/proc/1/root/etc/shadow'],
  ['leap', '/proc/self/fd/3'],
  ['out', `../../../../../..${folder}`],
])
  symlinkSync(to, join(hostile, at));
await importImage(hostile, 'localhost/hostile:1', ['USER daemon', 'CMD ["sleep", "1000"]']);

const instance = await SluiceInstance.onHost(
  name,
  cleanup,
  'kube-api: true\ncontainer-runtime: podman\nstandIns: { "stood/in": [sh, -c, "echo in its place; sleep 1000"] }\n',
);
t.teardown(() => instance.stop());
const registry = start(
  inNetns(`${name}-host`, [
    process.execPath,
    join(import.meta.dirname, 'registry.js'),
    '5000',
    join(folder, 'registry'),
  ]),
);
cleanup.add(() => registry.child.kill('SIGKILL'));
await waitFor('the kubeconfig', () => existsSync(`${instance.runDir}/kubeconfig`));
const kubectl = kubectls().at(-1)?.path ?? '/usr/bin/kubectl';

function asTyped(words: readonly string[]): string[] {
  const environment = ['env', `HOME=${folder}`, `KUBECONFIG=${instance.runDir}/kubeconfig`];
  return inNetns(`${name}-host`, [...environment, kubectl, ...words]);
}
const type = (...words: string[]): Promise<Outcome> => run(asTyped(words), { cwd: folder });

/** Its standard output; it must succeed. */
async function say(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await type(...words);
  if (code !== 0) throw new Error(`kubectl ${words.join(' ')}: exit ${code}: ${stderr}${stdout}`);
  return stdout;
}

const ready = (pod: string): Promise<string> => say('wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=60s');
const runs = async (pod: string, image: string, overrides: object = {}, ...more: string[]): Promise<unknown> =>
  say('run', pod, `--image=${image}`, `--overrides=${JSON.stringify({ spec: overrides })}`, ...more);
/** Each look is a kubectl: some time lies between two. */
const until = (what: string, holds: () => Promise<boolean>): Promise<void> =>
  waitFor(what, async () => (await holds()) || (await pause(200, false)));
const waiting = async (pod: string): Promise<{ reason: string; message: string }> =>
  JSON.parse((await say('get', 'pod', pod, '-o', 'jsonpath={.status.containerStatuses[0].state.waiting}')) || '{}');
const waitsFor = async (pod: string, reason: RegExp): Promise<string> => {
  let found = await waiting(pod);
  await until(`${pod} to wait: ${reason.source}`, async () => reason.test((found = await waiting(pod)).reason));
  return found.message;
};
const eventsOf = async (pod: string): Promise<string> =>
  say(
    'get',
    'events',
    `--field-selector=involvedObject.name=${pod}`,
    '-o',
    'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}',
  );

t.test('an image of podman runs as it says: entry point, user, environment, folder', async (t) => {
  await runs('tool', 'localhost/tool:1');
  await ready('tool');
  t.equal(await say('logs', 'tool'), 'began with the default\n');
  const script = 'id; echo $GREETING $HOME $PATH; pwd; cat /etc/hostname; stat -c %t /dev/null; cat /disk';
  const { stdout, stderr } = await type('exec', 'tool', '--', 'sh', '-c', script);
  t.equal(stdout, 'uid=1234(bob) gid=77(men) groups=88(more)\nhello /home/bob /bin\n/work/here\ntool\n1\n');
  t.match(stderr, /can't open '\/disk': Permission denied/, 'a device of an image opens nothing');
  t.match(
    await say('get', 'pod', 'tool', '-o', 'jsonpath={.status.containerStatuses[0].imageID}'),
    /^localhost\/tool@sha256:/,
  );
  t.match(await eventsOf('tool'), /Pulled: Container image "localhost\/tool:1" already present on machine/);
});

t.test('command, arguments and ids of the pod come before those of the image', async (t) => {
  const securityContext = { runAsUser: 5, runAsGroup: 6, supplementalGroups: [7], fsGroup: 8 };
  await runs('own', 'tool:1', { securityContext }, '--', 'other', 'words');
  await ready('own');
  t.equal(await say('logs', 'own'), 'began with other words\n');
  t.match(await say('exec', 'own', '--', 'id'), /^uid=5 gid=6 groups=7,8/);
  await runs('command', 'localhost/tool:1', { restartPolicy: 'Never' }, '--command', '--', 'sh', '-c', 'echo $0 alone');
  await until('its end', async () => (await type('logs', 'command')).stdout === 'sh alone\n');
  await runs('rootless', 'localhost/hostile:1', { securityContext: { runAsNonRoot: true, runAsUser: 0 } });
  t.match(await waitsFor('rootless', /CreateContainerConfigError/), "container's runAsUser breaks non-root policy");
  await say('delete', 'pod', 'own', 'command', 'rootless', '--now');
});

t.test('cp goes both ways, and what is written stays in the container', async (t) => {
  writeFileSync(join(folder, 'sent'), 'a file\n');
  await say('cp', 'sent', 'tool:/tmp/sent');
  await say('cp', 'tool:/tmp/sent', 'back');
  t.equal(readFileSync(join(folder, 'back'), 'utf8'), 'a file\n');
  await runs('second', 'localhost/tool:1');
  await ready('second');
  t.equal(await say('exec', 'second', '--', 'ls', '/tmp'), '');
  await say('delete', 'pod', 'second', '--now');
});

t.test('what cannot be had is told as Kubernetes tells it, with the words of podman', async (t) => {
  await runs('never', `${REGISTRY}/open/tool:1`, {}, '--image-pull-policy=Never');
  t.equal(
    await waitsFor('never', /ErrImageNeverPull/),
    `Container image "${REGISTRY}/open/tool:1" is not present with pull policy of Never`,
  );
  await runs('none', `${REGISTRY}/open/none:1`);
  t.match(
    await waitsFor('none', /ErrImagePull|ImagePullBackOff/),
    /Failed to pull image .*open\/none.*(manifest|no such image)/,
  );
  await runs('secret', `${REGISTRY}/private/tool:1`);
  t.match(
    await waitsFor('secret', /ErrImagePull|ImagePullBackOff/),
    /Failed to pull image .*(unauthorized|authentication required)/i,
  );
  await waitsFor('none', /ImagePullBackOff/);
  const told = await eventsOf('none');
  for (const one of [/^Pulling: Pulling image/m, /^Failed: Failed to pull/m, /^BackOff: Back-off pulling image/m])
    t.match(told, one);
  await say('delete', 'pod', 'never', 'none', 'secret', '--now');
});

t.test('an image is fetched, also with the password of a secret; a stand-in by name comes before it', async (t) => {
  await say(
    'create',
    'secret',
    'docker-registry',
    'login',
    `--docker-server=${REGISTRY}`,
    '--docker-username=somebody',
    '--docker-password=secret',
  );
  await runs('private', `${REGISTRY}/private/tool:1`, { imagePullSecrets: [{ name: 'login' }] });
  await runs('open', `${REGISTRY}/open/tool`);
  await runs('stood', 'registry.example/stood/in:1');
  for (const pod of ['private', 'open', 'stood']) await ready(pod);
  t.match(
    await eventsOf('private'),
    /Successfully pulled image .* in [\d.]+s \([\d.]+s including waiting\)\. Image size: \d+ bytes/,
  );
  t.equal(await say('logs', 'stood'), 'in its place\n');
  const places = join(instance.runDir, 'kube-api/containers/images');
  t.strictSame(readdirSync(join(places, 'auth')), [], 'no password is left');
  await say('delete', 'pod', 'private', 'open', 'stood', '--now');
});

t.test('an image that leads elsewhere leads nowhere', async (t) => {
  await runs('user', 'localhost/hostile:1');
  t.match(await waitsFor('user', /RunContainerError|CrashLoopBackOff/), /./);
  t.match(
    await say(
      'get',
      'pod',
      'user',
      '-o',
      'jsonpath={.status.containerStatuses[0].state}{.status.containerStatuses[0].lastState}',
    ),
    /unable to find user daemon: no matching entries in passwd file/,
  );
  await runs('hostile', 'localhost/hostile:1', { securityContext: { runAsUser: 0 } });
  await ready('hostile');
  const inside = (...argv: string[]): Promise<Outcome> => type('exec', 'hostile', '--', ...argv);
  t.match((await inside('ls', '/dev')).stdout, /^console\nfd\nfull\n/);
  t.match((await inside('cat', '/proc/1/cmdline')).stdout, /^sleep.1000/);
  t.match((await inside('ls', '/sys')).stdout, /kernel/);
  t.match((await inside('cat', '/etc/hosts')).stdout, /localhost|hostile/);
  t.match(await inside('ls', '/out/'), { code: 1, stderr: /No such file/ });
  t.match(await inside('sh', '-c', 'true'), { code: 1, stderr: /"sh": executable file not found in \$PATH/ });
  await runs('leap', 'localhost/hostile:1', {
    securityContext: { runAsUser: 0 },
    restartPolicy: 'Never',
    containers: [{ name: 'leap', image: 'localhost/hostile:1', workingDir: '/leap' }],
  });
  await waitFor(
    'its end',
    async () => (await say('get', 'pod', 'leap', '-o', 'jsonpath={.status.phase}')) === 'Failed',
  );
  await say('delete', 'pod', 'user', 'hostile', 'leap', '--now');
});

t.test('containers go on without the agent; nothing of an image stays mounted; its signal ends them', async (t) => {
  const id = await say('get', 'pod', 'tool', '-o', 'jsonpath={.status.containerStatuses[0].containerID}');
  t.strictSame(
    mountsBelow().filter((path) => path.endsWith('/merged')),
    [],
  );
  process.kill(instance.agent.pid, 'SIGKILL');
  // As if it had been killed between mount and unmount.
  const [image] = (await must(['podman', 'images', '-q', '--no-trunc', 'localhost/tool:1']))
    .trim()
    .replace('sha256:', '')
    .split('\n');
  const notes = join(instance.runDir, 'kube-api/containers/images/mounts');
  t.strictSame(readdirSync(notes), []);
  await must(['podman', 'image', 'mount', image]);
  writeFileSync(join(notes, `${image}.0a`), '');
  t.equal(mountsBelow().filter((path) => path.endsWith('/merged')).length, 1);
  await instance.restartAgent();
  await waitFor('what was left to be unmounted', () => readdirSync(notes).length === 0);
  const counts = readFileSync(join(folder, 'run/overlay-layers/mountpoints.json'), 'utf8');
  t.equal(counts, '[]', 'podman counts no mount');
  await until('the kubelet', async () => (await type('exec', 'tool', '--', 'pwd')).stdout === '/work/here\n');
  t.equal(await say('get', 'pod', 'tool', '-o', 'jsonpath={.status.containerStatuses[0].containerID}'), id);
  const following = start(asTyped(['logs', '-f', 'tool']));
  await waitFor('its log', () => following.output() === 'began with the default\n');
  await say('delete', 'pod', 'tool', '--grace-period=30');
  await waitFor('its last word', () => following.child.exitCode !== null);
  t.equal(following.output(), 'began with the default\nbye\n', 'it was told by SIGINT');
  await instance.stop();
  t.notOk(existsSync(join(instance.runDir, 'kube-api/containers')));
});
