/** The image: its blobs are what their names say, its programs run, and the same tree gives the same bytes. podman loads it where it is. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup, must, run } from '../command.ts';

const BUILD_MS = 600_000;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;
const folder = mkdtempSync(join(tmpdir(), 'sloci-'));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));

async function build(name: string): Promise<string> {
  const output = join(folder, name);
  await must(['scripts/package', 'oci', '--output', output], { cwd: PACKAGE_ROOT, timeoutMs: BUILD_MS });
  return join(output, readdirSync(output)[0]);
}
const archive = await build('a');
const layout = join(folder, 'layout');
mkdirSync(layout);
await must(['tar', '-C', layout, '-xf', archive]);
const read = (digest: string) => JSON.parse(readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8'));

t.test('each blob is what its name says, and every one is named', async (t) => {
  const [entry] = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests;
  const manifest = read(entry.digest);
  const named = [
    entry.digest,
    manifest.config.digest,
    ...manifest.layers.map(({ digest }: { digest: string }) => digest),
  ];
  t.strictSame(
    readdirSync(join(layout, 'blobs/sha256')).toSorted(),
    named.map((digest: string) => digest.slice(7)).toSorted(),
  );
  for (const { digest, size } of [entry, manifest.config, ...manifest.layers]) {
    const bytes = readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
    t.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest);
    t.equal(bytes.length, size);
  }
  t.equal(read(manifest.config.digest).config.StopSignal, 'SIGUSR2');
  t.equal(read(manifest.config.digest).rootfs.diff_ids.length, manifest.layers.length);
});

t.test('its programs run with nothing but what is in it', async (t) => {
  const [entry] = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests;
  const root = join(folder, 'root');
  mkdirSync(root);
  for (const { digest } of read(entry.digest).layers)
    await must(['tar', '-C', root, '-xzf', join(layout, 'blobs', digest.replace(':', '/'))]);
  const inside = (...argv: string[]) =>
    run(['unshare', '--mount', 'chroot', root, ...argv], { env: { PATH: '/usr/sbin:/usr/bin' } });
  for (const argv of [
    ['sluice', 'version'],
    ['sluiced', '--check'],
    ['sluice', 'install'],
    ['ip', '-V'],
    ['nft', '--version'],
    ['nsenter', '--version'],
    ['openssl', 'version'],
    ['ls', '/'],
  ]) {
    const { code, stderr } = await inside(...argv);
    t.equal(code, 0, `${argv.join(' ')}: ${stderr}`);
  }
  const load =
    "require('/usr/lib/sluice/node_modules/cap'); require('/usr/lib/sluice/node_modules/raw-socket'); require('/usr/lib/sluice/dataplane/native/build/Release/sluice_native.node')";
  t.match(await inside('/usr/lib/sluice/bin/node', '-e', load), { code: 0 }, 'the addons load');
  t.ok(existsSync(join(root, 'usr/lib/sluice/dist/cni/sluice-cni')));
  t.equal(readlinkSync(join(root, 'var/run')), '../run', 'runtimes name network namespaces by /var/run/netns');
});

t.test('the same tree gives the same bytes', async (t) => {
  const sum = async (file: string) => (await must(['sha256sum', file])).split(' ')[0];
  t.equal(await sum(await build('b')), await sum(archive));
});

t.test('podman takes it', async (t) => {
  const store = ['--root', join(folder, 'store'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
  const podman = (...argv: string[]) => run(['podman', ...store, ...argv], { timeoutMs: BUILD_MS });
  const loaded = await podman('load', '-i', archive);
  t.equal(loaded.code, 0, loaded.stderr);
  const { stdout } = await podman('images', '--format', '{{.Repository}}:{{.Tag}}');
  t.match(stdout, /sluice/);
  await podman('system', 'reset', '--force');
});
