// The image, as an OCI layout (oci-layout, index.json, blobs) and as an archive of it, for `podman load`, `ctr images import`, skopeo.
// No docker and no registry: three layers, so that a new version of Sluice is a small one.
//
//   1. programs of this machine that the agent calls, with the libraries that they link, their licences, and Debian's busybox for people
//   2. node      3. Sluice (tree.mjs)
//
// The same tree on the same packages gives the same bytes.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { copyrightText } from './licences.mjs';
import { HOME, layTree, packageOptions } from './tree.mjs';

/** What the agent and the command line tool call (linux/command.ts). */
const PROGRAMS = ['ip', 'nft', 'nsenter', 'unshare', 'sh', 'openssl', 'busybox'];
/** What people look for in a container. */
const APPLETS = [
  'cat',
  'cp',
  'find',
  'grep',
  'head',
  'hostname',
  'kill',
  'less',
  'ls',
  'mount',
  'mv',
  'ping',
  'ps',
  'rm',
  'sed',
  'sleep',
  'sort',
  'tail',
  'tar',
  'umount',
  'vi',
  'wc',
];
const SYSTEM = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/group': 'root:x:0:\n',
  'etc/nsswitch.conf': 'hosts: files dns\n',
  'etc/os-release': 'ID=sluice\nNAME=Sluice\n',
};
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const LIMIT = 1 << 30;

const { version, epochSec, output } = packageOptions();
const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch];
if (architecture === undefined) throw new Error(`package: found the architecture ${process.arch}, wanted x64 or arm64`);
function make() {
  const layout = join(scratch, 'layout');
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const layers = [layBase, layNode, laySluice].map((lay) => {
    const root = mkdtempSync(join(scratch, 'layer-'));
    chmodSync(root, 0o755);
    lay(root);
    const tar = archived(root, '.');
    return { diffId: `sha256:${sum(tar)}`, ...blob(layout, LAYER, gzipSync(tar, { level: 9 })) };
  });
  const created = new Date(epochSec * 1000).toISOString();
  const config = {
    architecture,
    os: 'linux',
    created,
    config: {
      Entrypoint: ['/usr/bin/sluiced'],
      Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
      // The agent leaves what it made to its successor: a pod that is replaced keeps its interfaces.
      StopSignal: 'SIGUSR2',
      Labels: {
        'org.opencontainers.image.title': 'sluice',
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': 'Apache-2.0',
      },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: ['programs and libraries', 'node', 'sluice'].map((comment) => ({ created, comment })),
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: blob(layout, 'application/vnd.oci.image.config.v1+json', json(config)),
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
  const annotations = {
    'org.opencontainers.image.ref.name': version,
    'io.containerd.image.name': `localhost/sluice:${version}`,
  };
  const entry = {
    ...blob(layout, manifest.mediaType, json(manifest)),
    annotations,
    platform: { architecture, os: 'linux' },
  };
  writeFileSync(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(
    join(layout, 'index.json'),
    json({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [entry] }),
  );
  const name = join(output, `sluice-${version}-${architecture}.oci.tar`);
  const tar = archived(layout, 'oci-layout', 'index.json', 'blobs');
  writeFileSync(`${name}.new`, tar);
  renameSync(`${name}.new`, name);
  console.log(`package: ${name}, ${(tar.length / 2 ** 20).toFixed(1)} MiB`);
}

function layBase(root) {
  for (const folder of [
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'usr/lib64',
    'root',
    'tmp',
    'proc',
    'sys',
    'dev',
    'run',
    'var/lib',
    'etc',
  ])
    mkdirSync(join(root, folder), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  // As on the node: runtimes name network namespaces by /var/run/netns.
  symlinkSync('../run', join(root, 'var/run'));
  const packages = new Set();
  const bring = (path) => {
    const to = join(root, path.startsWith('/usr/') ? path : `/usr${path}`);
    if (existsSync(to)) return;
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(path, to);
    chmodSync(to, 0o755);
    packages.add(packageOf(path));
  };
  for (const name of PROGRAMS) {
    const path = execFileSync('sh', ['-c', 'command -v "$0"', name], { encoding: 'utf8' }).trim();
    for (const one of [path, ...librariesOf(path)]) bring(one);
  }
  for (const path of [...librariesOf(process.execPath), ...librariesOf('node_modules/cap/build/Release/cap.node')])
    bring(path);
  for (const name of APPLETS)
    if (!existsSync(join(root, 'usr/bin', name))) symlinkSync('busybox', join(root, 'usr/bin', name));
  for (const [path, text] of Object.entries(SYSTEM)) writeFileSync(join(root, path), text);
  for (const name of packages) {
    mkdirSync(join(root, 'usr/share/doc', name), { recursive: true });
    copyFileSync(`/usr/share/doc/${name}/copyright`, join(root, 'usr/share/doc', name, 'copyright'));
  }
}

function layNode(root) {
  layTree(root, version);
  const node = readFileSync(join(root, HOME, 'bin/node'));
  rmSync(join(root, 'usr'), { recursive: true });
  mkdirSync(join(root, HOME, 'bin'), { recursive: true });
  writeFileSync(join(root, HOME, 'bin/node'), node, { mode: 0o755 });
}

function laySluice(root) {
  layTree(root, version);
  rmSync(join(root, HOME, 'bin'), { recursive: true });
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  for (const name of ['sluice', 'sluiced'])
    symlinkSync(`../lib/sluice/dist/bin/${name}.cjs`, join(root, 'usr/bin', name));
  mkdirSync(join(root, 'usr/share/doc/sluice'), { recursive: true });
  writeFileSync(join(root, 'usr/share/doc/sluice/copyright'), copyrightText(true));
}

/** Paths of the libraries that a binary links, the loader among them. */
function librariesOf(path) {
  const text = execFileSync('ldd', [path], { encoding: 'utf8' });
  if (text.includes('not found')) throw new Error(`package: ${path} links what is not here: ${text}`);
  return [...text.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, library]) => library);
}

function packageOf(path) {
  for (const name of [path, realpathSync(path), path.replace(/^\/usr/, ''), `/usr${path}`]) {
    const { stdout } = spawnSync('dpkg', ['-S', name], { encoding: 'utf8' });
    const owner = stdout.split('\n').find((line) => line !== '' && !line.startsWith('diversion by'));
    if (owner !== undefined) return owner.split(':')[0];
  }
  throw new Error(`package: found no Debian package that ${path} is of`);
}

function archived(root, ...names) {
  const order = [
    '--sort=name',
    '--format=posix',
    '--pax-option=delete=atime,delete=ctime',
    `--mtime=@${epochSec}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u=rwX,go=rX',
  ];
  return execFileSync('tar', ['-C', root, ...order, '-cf', '-', ...names], { maxBuffer: LIMIT });
}

/** Puts bytes where their sum says. @returns their descriptor */
function blob(layout, mediaType, bytes) {
  const digest = sum(bytes);
  writeFileSync(join(layout, 'blobs/sha256', digest), bytes);
  return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
}

const sum = (bytes) => createHash('sha256').update(bytes).digest('hex');
const json = (value) => Buffer.from(JSON.stringify(value));

const scratch = mkdtempSync(join(tmpdir(), 'sluice-oci-'));
try {
  make();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
