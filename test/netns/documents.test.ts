/**
 * The commands that README.md, docs/ and examples/README.md tell people to type, run as they are written.
 *
 *   unshare: mounts, network and processes of its own
 *     tmpfs on /run       so that the instance is `sluice`, as in the documents, and meets nobody else's
 *     another over /etc   since nobody takes the files of pods away when the kernel ends an agent
 *     sluice on the PATH  and a folder with the files that the documents speak of
 *
 * One shell takes the blocks in the order of RUN; when it ends, the kernel ends all that it started. A fenced block that no table
 * names fails the test, and so does a row that names no block.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { programPath } from '../../linux/programs.ts';
import { PATIENCE_MS, run } from '../command.ts';

/** Blocks by how they begin, in the order in which they are run, and what is done afterwards. */
const RUN: readonly (readonly [file: string, begin: string, after?: string])[] = [
  ['README.md', 'sluice policy validate examples/tour/policies/'],
  ['docs/policy.md', 'sluice policy validate policies/ pods.yaml'],
  ['docs/troubleshooting.md', 'sluice policy validate -o github policies/'],
  ['README.md', './scripts/setup '],
  ['docs/api.md', 'curl -s --unix-socket'],
  ['examples/README.md', 'sluice rig up -f examples/http-method-path/manifests.yaml'],
  [
    'docs/upgrade.md',
    './scripts/setup',
    'pid=$(cat /run/sluice/sluiced.pid); kill "$pid"; tail --pid="$pid" -f /dev/null',
  ],
  ['docs/troubleshooting.md', 'sluice daemon --detach'],
];

/** Blocks that hold no commands, or whose commands are run elsewhere. */
const NOT_RUN: readonly (readonly [file: string, begin: string, why: string])[] = [
  ['README.md', './scripts/demo', 'the demo and the tests themselves'],
  ['README.md', 'sluice apply -f examples/tour/policies/policies.yaml\n  cilium', 'what the demo prints'],
  ['docs/api.md', 'POST /v1/apply', 'a request; the API is tested with it'],
  ['docs/api.md', 'POST /v1/delete', 'a request'],
  ['docs/architecture.md', '', 'drawings'],
  ['docs/dns.md', '$ dig secret.example', 'what dig prints; test/netns/dns.test.ts asks'],
  ['docs/dns.md', '$ sluice observe', 'what observe prints; test/netns/dns.test.ts compares it'],
  ['docs/dns.md', 'sluice exec client -- curl', 'test/netns/names.test.ts asks the same'],
  ['docs/l7.md', '$ sluice observe', 'what observe prints; test/netns/http2.test.ts compares it'],
  ['docs/kafka.md', '$ kcat -b kafka:9092', 'what a client is told; test/netns/kafka.test.ts compares it'],
  ['docs/kafka.md', '$ sluice observe', 'what observe prints; test/netns/kafka.test.ts compares it'],
  ['docs/tls.md', '$ sluice observe', 'what observe prints; test/netns/tls.test.ts compares it'],
  [
    'docs/services.md',
    'sluice apply -f web.yaml',
    'needs a web.yaml; examples/services is run, as is test/netns/services.test.ts',
  ],
  ['docs/observability.md', ' dataplane --event', 'a drawing'],
  ['docs/observability.md', 'sluice observe --last 1', 'needs a drop; test/netns/generate.test.ts does the same'],
  ['docs/observability.md', 'sluice observe --all', 'needs flows; test/netns/generate.test.ts does the same'],
  ['docs/api.md', 'POST /v1/recording', 'a request; daemon/serve/recordings.test.ts makes it'],
  ['docs/api.md', 'POST /v1/cni', 'a request; the plugin makes it in test/netns/cni.test.ts'],
  ['docs/kubernetes.md', 'sluice cni install', 'would install on this machine; cli/cni/cni.test.ts does it elsewhere'],
  ['docs/observability.md', 'sluice record -w', 'would record this machine; test/netns/record.test.ts does the same'],
  ['docs/pods.md', 'kubectl-style:', 'an annotation and a flag'],
  ['docs/packages.md', './scripts/package deb', 'takes minutes; test/netns/package.long.test.ts makes and installs it'],
  ['docs/packages.md', 'sluice install |', 'needs a cluster and Helm; cli/install and its long test compare the two'],
  ['docs/ui.md', 'ssh -L', 'needs another machine; the address is that of the page on this one'],
];

/** Lines of blocks that are run which are left out. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  './scripts/setup': 'done before any test',
  'npm link': "changes the machine's npm; the test has sluice on its PATH",
  'sluice observe --last 1 --verdict DROPPED -o json | sluice policy explain -m shop/ --flow -':
    'needs a drop of those pods; cli/policy/explain.test.ts has one',
};

/** The folder of docs/policy.md: a shop with a web and an api. */
const SHOP = `apiVersion: v1
kind: Pod
metadata: { name: web-0, namespace: shop, labels: { app: web } }
spec: { containers: [] }
---
apiVersion: v1
kind: Pod
metadata: { name: api-0, namespace: shop, labels: { app: api } }
spec: { containers: [{ name: api, ports: [{ containerPort: 80 }] }] }
`;
const POLICY = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: api, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: api } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: web } }]
      toPorts: [{ ports: [{ port: "80", protocol: TCP }], rules: { http: [{ path: /offers }] } }]
`;
/** The sample of docs/policy.md itself. */
const SUITE = /^```yaml\n(name: shop\n.*?)^```$/ms.exec(textOf('docs/policy.md'))?.[1] ?? 'no sample';
const QUERY = '{"id":1,"from":{"pod":"shop/web-0"},"to":{"pod":"shop/api-0"},"port":80}\n';

function textOf(file: string): string {
  return readFileSync(join(PACKAGE_ROOT, file), 'utf8');
}

interface Block {
  readonly file: string;
  readonly text: string;
}

/** Blocks that are marked as no other language. docs/cli.md is made of the commands' own help, whose examples are checked there. */
function blocksOf(file: string): Block[] {
  const found = [...textOf(file).matchAll(/^```([a-z]*)\n(.*?)^```$/gms)];
  return found
    .filter(([, language]) => language === '' || language === 'sh')
    .map(([, , body]) => ({ file, text: body }));
}

const PAGES = readdirSync(join(PACKAGE_ROOT, 'docs')).filter((name) => name.endsWith('.md') && name !== 'cli.md');
const FILES = ['README.md', 'examples/README.md', ...PAGES.map((name) => `docs/${name}`)];
const BLOCKS = FILES.flatMap(blocksOf);

function blockOf(file: string, begin: string): Block | undefined {
  return BLOCKS.find((block) => block.file === file && block.text.startsWith(begin));
}

function commandsOf({ text }: Block): string[] {
  const lines = text.split('\n').map((line) => line.replace(/\s+# .*$/, '').trimEnd());
  return lines.filter((line) => line !== '' && !Object.hasOwn(LEFT_OUT, line));
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-documents-'));
  for (const name of ['bin', 'shop', 'policies', 'tests']) mkdirSync(join(folder, name));
  symlinkSync(programPath('sluice'), join(folder, 'bin/sluice'));
  cpSync(join(PACKAGE_ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
  const files = { 'shop/pods.yaml': SHOP, 'shop/api.yaml': POLICY, 'pods.yaml': SHOP, 'policies/api.yaml': POLICY };
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text);
  writeFileSync(join(folder, 'flows.jsonl'), QUERY);
  writeFileSync(join(folder, 'shop.test.yaml'), SUITE);
  const below = SUITE.replace('[pods.yaml]', '[../pods.yaml]').replace('[policies/]', '[../policies/]');
  writeFileSync(join(folder, 'tests/shop.test.yaml'), below);
  return folder;
}

/** Tells each line's exit code; a line sees the variables of those before it. */
function scriptOf(folder: string, lines: readonly string[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  return [
    'mount -t tmpfs tmpfs /run && mkdir /run/netns /run/etc /run/work && ip link set lo up || exit 1',
    'mount -t overlay etc -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc || exit 1',
    `cd ${quoted(folder)}; export PATH=${quoted(join(folder, 'bin'))}:$PATH; set -o pipefail`,
    ...lines.map((line) => `eval ${quoted(line)}; echo "${MARK} $?"`),
  ].join('\n');
}

const MARK = '@@ exit';

t.test('every fenced block is run, or a table says why not', async (t) => {
  for (const { file, text } of BLOCKS) {
    const rows = [...RUN, ...NOT_RUN].filter(([of, begin]) => of === file && text.startsWith(begin));
    t.equal(rows.length > 0, true, `${file}: ${text.split('\n')[0]}`);
  }
  for (const [file, begin] of [...RUN, ...NOT_RUN]) t.ok(blockOf(file, begin), `${file} has a block: ${begin}`);
  const lines = BLOCKS.flatMap(({ text }) => text.split('\n').map((line) => line.replace(/\s+# .*$/, '').trimEnd()));
  for (const line of Object.keys(LEFT_OUT)) t.ok(lines.includes(line), `a document has: ${line}`);
});

t.test('the commands do what they say', async (t) => {
  const folder = makeFolder();
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const lines = RUN.flatMap(([file, begin, after]) => {
    return [...commandsOf(blockOf(file, begin) ?? { file, text: '' }), ...(after === undefined ? [] : [after])];
  });
  const shell = ['bash', '-c', scriptOf(folder, lines)];
  const own = ['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const { stdout, stderr } = await run([...own, ...shell], { timeoutMs: 5 * PATIENCE_MS });
  const said = stdout.split(new RegExp(`^${MARK} `, 'm'));
  t.equal(said.length, lines.length + 1, stderr);
  lines.forEach((line, at) => {
    const code = Number.parseInt(said[at + 1] ?? '', 10);
    t.equal(code, 0, `${line}\n${said[at].replace(/^\d+\n/, '')}`);
  });
  t.equal(
    stderr
      .split('\n')
      .filter((line) => /error|ENOENT/.test(line))
      .join('\n'),
    '',
  );
});
