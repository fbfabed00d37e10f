/** `sluice bugtool`: what is in the archive, that no secret is, and that a dead agent does not keep it from being made. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
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
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { agentSocket, hubbleSocket } from '../../api/sockets.ts';
import { testHost } from '../../test/cli-host.ts';
import { flowsOf, podEnd } from '../../test/recorded-flows.ts';
import { run } from '../program.ts';
import { Secrets } from './secrets.ts';

/** A text that is found nowhere by chance, for each place. */
const secretOf = (place: string): string => `s3c-${createHash('sha256').update(place).digest('hex').slice(0, 12)}`;
const places: string[] = [];
function secret(place: string): string {
  places.push(place);
  return secretOf(place);
}
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const container = {
  name: 'web',
  image: 'example/web',
  command: ['serve', `--password=${secret('command')}`],
  args: [secret('args')],
  env: [
    { name: 'DB_PASSWORD', value: secret('env') },
    { name: 'QUOTED', value: `a"${secret('quoted')}` },
  ],
  livenessProbe: { httpGet: { httpHeaders: [{ name: 'X', value: secret('probe') }] } },
  unheardOf: secret('container'),
};
const metadata = {
  name: 'web',
  namespace: 'shop',
  annotations: {
    'sluice.io/trace': 'true',
    'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ env: secret('applied') }),
    'others.example/x': secret('annotation'),
  },
};
const http = [
  { path: '/a', headers: [`X-Token: ${secret('header')}`], headerMatches: [{ name: 'X-Key', value: secret('match') }] },
];
const POLICY = {
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'closed', namespace: 'shop' },
  spec: { ingress: [{ toPorts: [{ rules: { http } }] }] },
};
const OBJECTS = [
  { kind: 'Pod', metadata, spec: { containers: [container], initContainers: [container] } },
  { kind: 'Deployment', metadata, spec: { template: { metadata, spec: { containers: [container] } } } },
  { kind: 'Secret', metadata, data: { token: base64(secret('data')) }, stringData: { token: secret('stringData') } },
  { kind: 'ConfigMap', metadata, data: { token: secret('configmap') } },
  POLICY,
];
const web = podEnd('shop/web-0', { app: 'web' });
const FLOW = {
  ...flowsOf({ from: web, to: web, port: 80 })[0],
  Summary: `GET http://api/x?token=${secret('summary')}`,
  l7: {
    type: 'REQUEST',
    http: {
      method: 'GET',
      url: `http://user:${secret('user')}@api/x?token=${secret('query')}`,
      headers: [{ key: 'Authorization', value: `Bearer ${secret('flow header')}` }],
    },
  },
};
const STATUS = {
  standIns: { 'example/*': ['serve', secret('stand-in')] },
  problems: [`found ${secretOf('match')}, wanted`],
};

const runDir = mkdtempSync(join(tmpdir(), 'sluice-bugtool-'));
t.teardown(() => rmSync(runDir, { recursive: true }));
writeFileSync(
  join(runDir, 'dataplane.log'),
  `${'x'.repeat(1 << 20)}\nlast ${secretOf('env')} ${base64(secretOf('header'))}\n`,
);
mkdirSync(join(runDir, 'dns'));
writeFileSync(join(runDir, 'dns/log'), `a "${JSON.stringify(`a"${secretOf('quoted')}`)}" line\n`);

const ANSWERS: Readonly<Record<string, unknown>> = {
  '/v1/objects': { items: OBJECTS },
  '/v1/policies': [{ kind: POLICY.kind, name: 'closed', object: POLICY }],
  '/v1/status': STATUS,
  '/v1/endpoints': [{ id: 7, pod: 'web', labels: ['k8s:app=web'] }],
  '/v1/identities': [],
  '/v1/services': [],
  '/v1/cookies': [],
  '/v1/flows': { flow: FLOW },
};
const servers: Server[] = [];
for (const path of [agentSocket(runDir), hubbleSocket(runDir)]) {
  const server = createServer((request, response) => {
    response.end(`${JSON.stringify(ANSWERS[(request.url ?? '').replace(/\?.*/, '')])}\n`);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  servers.push(server);
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function bugtool(file: string): Promise<Outcome> {
  const { host, stdout, stderr } = testHost('', { SLUICE_RUN_DIR: runDir });
  const code = await run(['bugtool', '-o', file], host);
  return { code, stdout: stdout(), stderr: stderr() };
}

const contents = (file: string): string =>
  execFileSync('tar', ['xzOf', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
const names = (file: string): string[] => execFileSync('tar', ['tzf', file], { encoding: 'utf8' }).trim().split('\n');

t.test('the archive tells all but secrets, and is for its owner alone', async (t) => {
  const file = join(runDir, 'a.tar.gz');
  const { code, stdout, stderr } = await bugtool(file);
  t.equal(code, 0, stderr);
  t.match(stdout, /a\.tar\.gz: \d+ files, \d+ KiB/);
  t.equal(statSync(file).mode & 0o777, 0o600);
  const all = contents(file);
  const wanted = [
    'objects.json',
    'status.json',
    'flows.json',
    'logs/dataplane.log',
    'logs/name-server.log',
    'versions.json',
  ];
  for (const name of wanted) t.ok(names(file).includes(name), name);
  for (const place of places) {
    t.notOk(all.includes(secretOf(place)), place);
    t.notOk(all.includes(base64(secretOf(place)).slice(0, -4)), `${place} in base64`);
  }
  t.match(all, '"name": "DB_PASSWORD"', 'names are told');
  t.match(all, 'X-Token: <hidden>');
  t.match(all, '"sluice.io/trace": "true"');
  t.match(all, '"url":"http://user:HUBBLE_REDACTED@api/x"');
  t.match(all, /last <hidden> <hidden>\n/, 'the end of a log, without what objects hide');
  t.notMatch(all, 'xxx', 'and no more of it');
  t.match(all, 'maps.json: list maps');
});

t.test('what is there is not written over, and no link is followed', async (t) => {
  const file = join(runDir, 'there.tar.gz');
  writeFileSync(file, 'mine');
  const link = join(runDir, 'link.tar.gz');
  symlinkSync(join(runDir, 'target'), link);
  for (const one of [file, link]) {
    t.match(await bugtool(one), { code: 1, stderr: /EEXIST: wanted a file that is not there yet/ });
  }
  t.equal(readFileSync(file, 'utf8'), 'mine');
  t.notOk(existsSync(join(runDir, 'target')));
});

t.test('it is made without the agent, and says what is missing', async (t) => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  const file = join(runDir, 'b.tar.gz');
  const { code, stderr } = await bugtool(file);
  t.equal(code, 0);
  t.match(stderr, /could not get status\.json: .*is sluiced running/);
  t.match(stderr, 'could not get flows.json');
  t.match(contents(file), 'objects.json: ');
  t.ok(names(file).includes('logs/dataplane.log'));
  t.notOk(names(file).includes('status.json'));
});

t.test('more hidden values than can be looked for are told, and options that name secrets are hidden', (t) => {
  const secrets = new Secrets();
  secrets.hide({ data: { a: 'long enough' } });
  t.equal(secrets.isOverfull, false);
  secrets.hide({ data: Array.from({ length: 5000 }, (_, i) => `value number ${i}`) });
  t.equal(secrets.isOverfull, true);
  const options = {
    secretsDir: '/s',
    token: 'abcdefgh',
    upstream: 'http://u:pass@x/',
    nested: { apiPassword: { x: 'y' } },
  };
  t.strictSame(secrets.hideOptions(options), {
    secretsDir: '/s',
    token: '<hidden>',
    upstream: 'http://u:<hidden>@x/',
    nested: { apiPassword: { x: '<hidden>' } },
  });
  t.end();
});
