// The .deb: the tree of tree.mjs, units for systemd, the manual, completion, and Debian's control files. No debhelper: what it
// would write is in packaging/debian, to be read.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { copyrightText } from './licences.mjs';
import { manualPages } from './manual.mjs';
import { HOME, layTree, packageOptions, ROOT } from './tree.mjs';

const options = packageOptions();
const { version, epochSec, output, compression, 'system-node': hasSystemNode } = options;
const arch = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
async function make(root) {
  chmodSync(root, 0o755);
  layTree(root, version, hasSystemNode ? '/usr/bin/node' : undefined);
  const put = (path, text, mode = 0o644) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), mode);
  };
  const from = (path) => readFileSync(join(ROOT, 'packaging', path), 'utf8');
  for (const name of ['sluice', 'sluiced', 'kubectl-sluice']) {
    mkdirSync(join(root, 'usr/bin'), { recursive: true });
    symlinkSync(`../lib/sluice/dist/bin/${name === 'sluiced' ? 'sluiced' : 'sluice'}.cjs`, join(root, 'usr/bin', name));
  }
  put(`${HOME}/agents`, from('debian/agents'), 0o755);
  put(`${HOME}/stop-agent`, from('systemd/stop-agent'), 0o755);
  put(`${HOME}/systemd/containers.conf`, from('systemd/containers.conf'));
  put('lib/systemd/system/sluiced.service', from('systemd/sluiced.service'));
  put('usr/lib/sysusers.d/sluice.conf', 'g sluice - -\n');
  put('usr/lib/tmpfiles.d/sluice.conf', 'd /etc/netns 0755 root root -\nd /run/netns 0755 root root -\n');
  put('etc/sluice/sluice.yaml', from('debian/sluice.yaml'));
  putDocumentation(root, put, from);
  await putManual(put);
  putCompletion(put);
  putControl(root, put, from);
  settle(root);
  const name = `sluice_${version}_${arch}.deb`;
  const flags = ['--root-owner-group', `-Z${compression}`, '--uniform-compression', '--build'];
  execFileSync('dpkg-deb', [...flags, root, join(output, name)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epochSec) },
  });
  console.log(`package: ${join(output, name)}, ${(lstatSync(join(output, name)).size / 2 ** 20).toFixed(1)} MiB`);
}

function putDocumentation(root, put, from) {
  const date = execFileSync('date', ['-u', '-R', '-d', `@${epochSec}`], { encoding: 'utf8' }).trim();
  const changelog = `sluice (${version}) unstable; urgency=medium\n\n  * What has changed is in NEWS.gz beside this file.\n\n -- Sluice <sluice@localhost>  ${date}\n`;
  put('usr/share/doc/sluice/changelog.gz', zipped(changelog));
  put('usr/share/doc/sluice/NEWS.gz', zipped(readFileSync(join(ROOT, 'CHANGELOG.md'))));
  put('usr/share/doc/sluice/copyright', copyrightText(!hasSystemNode));
  put('usr/share/lintian/overrides/sluice', from('debian/lintian-overrides'));
  for (const name of readdirSync(join(ROOT, 'docs')))
    if (name.endsWith('.md')) put(`usr/share/doc/sluice/${name}`, readFileSync(join(ROOT, 'docs', name)));
  execFileSync('cp', ['-r', join(ROOT, 'examples'), join(root, 'usr/share/doc/sluice/examples')]);
}

async function putManual(put) {
  put('usr/share/man/man8/kubectl-sluice.8.gz', zipped('.so man8/sluice.8\n'));
  for (const [name, text] of await manualPages(version, epochSec))
    put(`usr/share/man/man${name.at(-1)}/${name}.gz`, zipped(text));
}

function putCompletion(put) {
  const places = {
    bash: 'bash-completion/completions/sluice',
    zsh: 'zsh/vendor-completions/_sluice',
    fish: 'fish/vendor_completions.d/sluice.fish',
  };
  for (const [shell, place] of Object.entries(places))
    put(`usr/share/${place}`, execFileSync(process.execPath, [join(ROOT, 'dist/bin/sluice.cjs'), 'completion', shell]));
}

function putControl(root, put, from) {
  const files = listed(root).filter((path) => lstatSync(join(root, path)).isFile());
  const sizeKiB = files.reduce((sum, path) => sum + Math.ceil(lstatSync(join(root, path)).size / 1024), 0);
  const node = hasSystemNode ? ', nodejs (>= 20.17)' : '';
  put(
    'DEBIAN/control',
    `Package: sluice
Version: ${version}
Architecture: ${arch}
Maintainer: Sluice <sluice@localhost>
Installed-Size: ${sizeKiB}
Depends: ${libraries(root)}, iproute2, nftables, openssl, passwd, procps${node}
Suggests: kubernetes-client, tshark
Section: net
Priority: optional
Description: network policies for pods, enforced in user space
 Enforces Kubernetes NetworkPolicy and Cilium's policies, L3 to L7, on the
 network namespaces of this machine, without a kernel module and without eBPF:
 an agent (sluiced), a process that forwards and outlives it, a name server,
 and the command line tool sluice.
`,
  );
  put('DEBIAN/conffiles', '/etc/sluice/sluice.yaml\n');
  for (const script of ['postinst', 'prerm', 'postrm']) put(`DEBIAN/${script}`, from(`debian/${script}`), 0o755);
  const sum = (path) =>
    createHash('md5')
      .update(readFileSync(join(root, path)))
      .digest('hex');
  put(
    'DEBIAN/md5sums',
    files
      .filter((path) => !path.startsWith('etc/'))
      .map((path) => `${sum(path)}  ${path}\n`)
      .join(''),
  );
}

/** What the binaries link, as dpkg-shlibdeps words it. */
function libraries(root) {
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-shlibs-'));
  try {
    mkdirSync(join(scratch, 'debian'));
    writeFileSync(join(scratch, 'debian/control'), 'Source: sluice\n\nPackage: sluice\nArchitecture: any\n');
    const binaries = listed(join(root, HOME))
      .filter((path) => /\.node$|^bin\/node$/.test(path))
      .map((path) => join(root, HOME, path));
    const text = execFileSync('dpkg-shlibdeps', ['-O', ...binaries.map((path) => `-e${path}`)], {
      cwd: scratch,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /^shlibs:Depends=(.*)$/m.exec(text)[1];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const listed = (root) => readdirSync(root, { recursive: true, encoding: 'utf8' }).toSorted();
const zipped = (text) => gzipSync(text, { level: 9 });

/** Modes and times that do not depend on where and when this runs. */
function settle(root) {
  for (const path of listed(root)) {
    const full = join(root, path);
    const info = lstatSync(full);
    if (info.isSymbolicLink()) execFileSync('touch', ['-h', '-d', `@${epochSec}`, full]);
    else {
      chmodSync(full, info.isDirectory() || (info.mode & 0o100) !== 0 ? 0o755 : 0o644);
      utimesSync(full, epochSec, epochSec);
    }
  }
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-deb-'));
try {
  await make(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
