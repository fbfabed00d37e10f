/** The files of pods under /etc/netns: written, followed, taken away; those of others left alone. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { podNames } from '../../policy/document/pod-names.ts';
import { PodFiles } from './pod-files.ts';

const SERVERS = ['10.96.0.10', 'fd00:10:96::a'];

const pod = (netns: string, { state = 'ready', place = 'local', spec = {}, addresses = ['10.0.0.7'] } = {}) =>
  ({
    state: state as 'ready',
    plan: {
      key: `shop/${netns}`,
      namespace: 'shop',
      name: netns,
      place: place as 'local',
      netns,
      names: podNames({ spec }),
    },
    numbers: { addresses: addresses.map((text) => ({ text })) },
  }) as const;

function world(t: { teardown: (end: () => void) => void }) {
  const root = mkdtempSync(join(tmpdir(), 'netns-files-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const open = (runDir = '/run/a') => new PodFiles({ runDir, domain: 'cluster.local', root, hostText: () => '' });
  const text = (netns: string, file: string) => {
    const path = join(root, netns, file);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(1).join('\n') : undefined;
  };
  return { root, open, text };
}

t.test('sync() writes files of pods that are ready, follows them, and removes those of pods that went', async (t) => {
  const { root, open, text } = world(t);
  const files = open();
  t.same(files.sync([pod('a'), pod('b', { state: 'waiting' })], SERVERS), []);
  t.match(text('a', 'resolv.conf'), /^search shop\.svc.*\nnameserver 10\.96\.0\.10\noptions ndots:5\n$/);
  t.match(text('a', 'hosts'), /^10\.0\.0\.7\ta$/m);
  t.equal(text('b', 'hosts'), undefined);
  const { ino } = statSync(join(root, 'a/resolv.conf'));
  files.sync([pod('a', { addresses: ['10.0.0.7', 'fd00::7'] })], SERVERS);
  t.match(text('a', 'resolv.conf'), /nameserver 10\.96\.0\.10\nnameserver fd00:10:96::a\n/, 'of the families it has');
  files.sync([pod('a')], ['10.96.0.9']);
  t.match(
    text('a', 'resolv.conf'),
    /cluster\.local\nnameserver 10\.96\.0\.9\noptions ndots:5\n$/,
    'shorter than before',
  );
  t.equal(statSync(join(root, 'a/resolv.conf')).ino, ino, 'programs that have it mounted see it');
  files.sync([pod('a', { state: 'attaching' })], SERVERS);
  t.ok(text('a', 'hosts'), 'its programs are still there');
  files.sync([], SERVERS);
  t.equal(existsSync(root), false, 'nothing is left');
});

t.test('without a name server only pods that ask for it have files', async (t) => {
  const { root, open, text } = world(t);
  const files = open();
  const alias = { spec: { hostAliases: [{ ip: '192.0.2.1', hostnames: ['api'] }] } };
  const own = { spec: { dnsPolicy: 'None' as const, dnsConfig: { nameservers: ['192.0.2.53'] } } };
  files.sync([pod('a'), pod('b', alias), pod('c', own)], []);
  t.equal(existsSync(join(root, 'a')), false);
  t.match(text('b', 'hosts'), /^192\.0\.2\.1\tapi$/m);
  t.equal(text('b', 'resolv.conf'), undefined);
  t.equal(text('c', 'resolv.conf'), 'nameserver 192.0.2.53\n');
  files.sync([pod('a', { place: 'external' })], SERVERS);
  t.equal(existsSync(join(root, 'a')), false, 'the outside knows nothing of the cluster');
  files.sync([pod('..'), pod('/proc/1/ns/net'), pod('')], SERVERS);
  t.equal(existsSync(join(root, 'hosts')), false);
  t.equal(existsSync(join(root, '../hosts')), false);
});

t.test('files follow the resolv.conf of the host', async (t) => {
  const { root, text } = world(t);
  let host = 'nameserver 192.0.2.53\nsearch one.example\n';
  const files = new PodFiles({ runDir: '/run/a', domain: 'cluster.local', root, hostText: () => host });
  const pods = [pod('a')];
  files.sync(pods, SERVERS);
  t.match(text('a', 'resolv.conf'), /^search .* cluster\.local one\.example$/m);
  host = 'search two.example\n';
  files.sync(pods, SERVERS);
  t.match(text('a', 'resolv.conf'), /^search .* cluster\.local two\.example$/m);
});

t.test('a file of somebody else stays as it is', async (t) => {
  const { root, open } = world(t);
  mkdirSync(join(root, 'a'));
  mkdirSync(join(root, 'c'));
  writeFileSync(join(root, 'a/resolv.conf'), 'nameserver 192.0.2.1\n');
  writeFileSync(join(root, 'a/hosts'), '');
  symlinkSync('/etc/hosts', join(root, 'c/hosts'));
  const host = readFileSync('/etc/hosts', 'utf8');
  const files = open();
  t.same(files.sync([pod('a'), pod('b'), pod('c')], SERVERS), []);
  t.equal(readFileSync(join(root, 'a/resolv.conf'), 'utf8'), 'nameserver 192.0.2.1\n');
  t.equal(readFileSync(join(root, 'a/hosts'), 'utf8'), '');
  t.equal(readFileSync('/etc/hosts', 'utf8'), host, 'the host');
  // Made one's own: the mark is gone.
  writeFileSync(join(root, 'b/hosts'), '10.9.9.9 mine\n');
  // Ours, copied: the mark is of another namespace.
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'd/hosts'), readFileSync(join(root, 'c/resolv.conf')));
  const other = open('/run/b');
  t.same(other.clear(), [], 'nor does another instance');
  t.ok(existsSync(join(root, 'b/resolv.conf')));
  t.same(files.clear(), []);
  for (const kept of ['a/resolv.conf', 'a/hosts', 'b/hosts', 'c/hosts', 'd/hosts'])
    t.ok(existsSync(join(root, kept)), kept);
  for (const gone of ['b/resolv.conf', 'c/resolv.conf']) t.notOk(existsSync(join(root, gone)), gone);
});

t.test(
  'what an agent left that was killed, and what a start of the machine outlived, goes with the first sync',
  async (t) => {
    const { root, open, text } = world(t);
    open().sync([pod('a'), pod('b'), pod('c')], SERVERS);
    const begun = readFileSync(join(root, 'a/hosts'), 'utf8');
    writeFileSync(join(root, '.sluice-77'), begun);
    writeFileSync(join(root, '.sluice-78'), 'of somebody else\n');
    open().sync([pod('a'), pod('b', { state: 'attaching' })], SERVERS);
    t.ok(text('a', 'hosts'));
    t.ok(text('b', 'hosts'), 'a pod that is there, not yet taken over');
    t.notOk(existsSync(join(root, 'c')));
    t.notOk(existsSync(join(root, '.sluice-77')), 'written half');
    t.ok(existsSync(join(root, '.sluice-78')));
  },
);

t.test('what cannot be written is told, and does not keep the others', async (t) => {
  const { root, open, text } = world(t);
  writeFileSync(join(root, 'a'), 'no folder');
  t.match(open().sync([pod('a'), pod('b')], SERVERS), [/^write files of namespace a: /]);
  t.ok(text('b', 'hosts'));
});
