/** kubectl's habits, as whole command lines, against an API with the agent's own store of objects behind it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { loadConfig } from '../../daemon/config/config.ts';
import { manifestReader } from '../../daemon/source/reader.ts';
import { type ApplyResult, ObjectStore } from '../../daemon/source/store.ts';
import type { Reference } from '../../daemon/source/text.ts';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { testHost } from '../../test/cli-host.ts';
import { run } from '../program.ts';
import { asWritten } from '../terminal/habits.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-objects-'));
let store: ObjectStore;

const ENDPOINTS = [
  {
    ...{ id: 7, namespace: 'shop', pod: 'web-0', place: 'local', state: 'ready', identity: 4711, ipv4: '10.0.0.2' },
    ...{ labels: ['k8s:app=web', 'k8s:io.kubernetes.pod.namespace=shop'], node: 'vm' },
    policy: { ingress: 'Enabled', egress: 'Disabled' },
  },
];
const STATUS = { nodeName: 'vm', version: '9.9', dataplane: { state: 'running' }, agent: { uptimeSec: 7300 } };

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const { pathname, searchParams: query } = new URL(request.url ?? '', 'http://sluice');
  const document = documentOf(pathname, query, body);
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}

function documentOf(path: string, query: URLSearchParams, body: string): unknown {
  const namespace = query.get('namespace') ?? undefined;
  const file = query.get('file') ?? 'request';
  const isDryRun = query.has('dryRun');
  if (path === '/v1/status') return STATUS;
  if (path === '/v1/endpoints') return ENDPOINTS;
  if (path === '/v1/services') return [];
  if (path === '/v1/identities') return [{ id: 4711, labels: ENDPOINTS[0].labels }];
  if (path === '/v1/objects') {
    const wanted = (field: string, value: string) => (query.get(field) ?? value) === value;
    const found = [...store.documents()].filter(
      (one) => wanted('kind', one.kind) && wanted('namespace', one.namespace),
    );
    return { items: found.filter((one) => wanted('name', one.name)).map(({ object }) => object) };
  }
  if (path === '/v1/apply')
    return done(store.apply(body, file, { namespace, isCreate: query.has('create'), isDryRun }));
  const options = { namespace, contents: query.has('contents'), isDryRun };
  if (!body.startsWith('[')) return done(store.deleteText(body, file, options));
  const references = (JSON.parse(body) as Reference[]).map((one) => ({ ...one, namespace: one.namespace ?? '' }));
  return done(store.delete(references, file, options));
}

function done(result: ApplyResult): ApplyResult {
  store.takeChanges();
  return result;
}

const server = createServer((request, response) => void answer(request, response));
t.before(() => new Promise<void>((resolve) => server.listen(join(folder, 'sluice.sock'), resolve)));
t.beforeEach(() => {
  const directory = join(mkdtempSync(join(folder, 'state-')), 'objects');
  store = new ObjectStore(directory, manifestReader({}, loadConfig()));
  store.load();
});
t.teardown(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function sluice(line: string | readonly string[], stdin = '', env: Readonly<Record<string, string>> = {}) {
  const { host, stdout, stderr } = testHost(stdin, { SLUICE_RUN_DIR: folder, ...env });
  const code = await run(typeof line === 'string' ? line.split(' ') : line, host);
  return { code, stdout: stdout(), stderr: stderr() };
}

const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c}]}}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;
const netpol = (name: string, app = 'web') =>
  `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: ${name}, labels: {app: ${app}}}\nspec: {podSelector: {}}\n`;

t.test('apply and create name objects as kubectl does, in the namespace of -n', async (t) => {
  t.match(await sluice('apply -n shop -f -', WEB), {
    code: 0,
    stdout: 'deployment.apps/web created\nservice/web created\n',
  });
  t.match(await sluice('create -n shop -f -', `${WEB}---\n${netpol('a')}`), {
    code: 1,
    stdout: 'networkpolicy.networking.k8s.io/a created\n',
    stderr:
      'Error from server (AlreadyExists): deployments.apps "web" already exists\n' +
      'Error from server (AlreadyExists): services "web" already exists\n',
  });
  t.match(await sluice('create ns east west'), { code: 0, stdout: 'namespace/east created\nnamespace/west created\n' });
  t.match(await sluice('create namespace east'), { code: 1, stderr: /namespaces "east" already exists/ });
  t.match(await sluice('create pod x'), { code: 2 });
  t.match(await sluice('create'), { code: 2 });
  t.match(await sluice('apply -f https://example.com/a.yaml'), { code: 1, stderr: /found a URL.*curl -sfL/ });
});

t.test('-R reads what lies below a folder, and without it nobody descends', async (t) => {
  const top = join(folder, 'tree');
  mkdirSync(join(top, 'below'), { recursive: true });
  writeFileSync(join(top, 'a.yaml'), netpol('a'));
  writeFileSync(join(top, 'below/b.yaml'), netpol('b'));
  t.equal((await sluice(['apply', '-f', top, '-o', 'name'])).stdout, 'networkpolicy.networking.k8s.io/a\n');
  t.match((await sluice(['apply', '-R', '-f', top])).stdout, /\/a unchanged\n.*\/b created\n/);
});

t.test('delete deletes what is there and names the rest', async (t) => {
  await sluice('apply -f -', `${netpol('a')}---\n${netpol('b', 'db')}---\n${netpol('c')}`);
  t.match(await sluice(['delete', 'netpol', 'nope', 'a']), {
    code: 1,
    stdout: 'networkpolicy.networking.k8s.io "a" deleted from default namespace\n',
    stderr: 'Error from server (NotFound): networkpolicies.networking.k8s.io "nope" not found\n',
  });
  t.match(await sluice('delete netpol/a netpol/c --ignore-not-found'), { code: 0, stdout: /"c" deleted/, stderr: '' });
  t.match(await sluice(['delete', 'netpol', 'b,', 'x']), { code: 1, stdout: /"b" deleted/, stderr: /"x" not found/ });
  t.match(await sluice('delete pod/a netpol'), { code: 2, stderr: /KIND\/NAME everywhere/ });
});

t.test('delete --all and -l choose; a namespace takes along what is in it', async (t) => {
  const all = `${netpol('a')}---\n${netpol('b', 'db')}---\n${netpol('c')}`;
  await sluice('apply -f -', all);
  t.match(await sluice(['delete', 'netpol', '-l', 'app in (db)']), { code: 0, stdout: /^\S+ "b" deleted.*\n$/ });
  t.match(await sluice(['delete', 'netpol', '-l', 'app in']), { code: 2, stderr: /parse label selector/ });
  t.match(await sluice('delete netpol --all'), { code: 0, stdout: /"a" deleted.*\n.*"c" deleted/ });
  t.match(await sluice('delete netpol --all'), { code: 0, stderr: 'No resources found\n' });
  t.match(await sluice('delete netpol a --all'), { code: 2 });
  await sluice('apply -n shop -f -', `${WEB}---\n${all}`);
  await sluice('apply -f -', netpol('stays'));
  t.match(await sluice('delete ns shop'), { code: 0, stderr: '' });
  t.strictSame(
    [...store.documents()].map(({ name }) => name),
    ['stays'],
  );
});

t.test('what a Deployment made goes by the name of the Deployment, and by what get all printed', async (t) => {
  await sluice('apply -n shop -f -', WEB);
  t.match(await sluice('delete pod web-0 -n shop'), { code: 1, stderr: /found a pod of Deployment\/shop\/web/ });
  const listed = await sluice('get all -n shop -o yaml');
  t.match(await sluice('delete -f -', listed.stdout), { code: 0, stdout: /pod "web-0" deleted/, stderr: '' });
  await sluice('apply -n shop -f -', WEB);
  t.match(await sluice('delete deployment web -n shop'), {
    code: 0,
    stdout: 'deployment.apps "web" deleted from shop namespace\n',
  });
});

t.test('a manifest that apply took can be deleted, whatever it skipped', async (t) => {
  const text = `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n---\n${WEB}`;
  t.match(await sluice('apply -f -', text), { code: 0, stderr: /warning/ });
  t.match(await sluice('delete -f -', text), { code: 0, stdout: /deployment.*\n.*service/, stderr: /warning/ });
});

t.test('get takes several kinds, KIND/NAME, workloads and what the agent makes', async (t) => {
  await sluice('apply -n shop -f -', WEB);
  t.equal(
    (await sluice('get deploy,svc -n shop')).stdout,
    'NAME                  READY   UP-TO-DATE   AVAILABLE   AGE\ndeployment.apps/web   1/1     1            1           <unknown>\n\n' +
      'NAME          TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE\nservice/web   ClusterIP   <none>       <none>        80/TCP    <unknown>\n',
  );
  t.match((await sluice('get pod/web-0 -n shop')).stdout, /^NAME .*\nweb-0 +1\/1 +ready/);
  t.match(await sluice('get pod/web-0 svc/nope -n shop'), {
    code: 1,
    stdout: /web-0/,
    stderr: /services "nope" not found/,
  });
  t.match((await sluice('get all -n shop')).stdout, /pod\/web-0[\s\S]*service\/web[\s\S]*deployment.apps\/web/);
  t.match(
    (await sluice('get nodes')).stdout,
    /^NAME +STATUS +ROLES +VERSION +AGE\nvm +Ready +<none> +sluice-9.9 +121m\n$/,
  );
  t.match((await sluice('get ns')).stdout, /^default +Active.*\nshop +Active/m);
  t.equal((await sluice('get cep web-0 -n shop -o=jsonpath={.status.identity.id}')).stdout, '4711\n');
  t.match(
    (await sluice('get ciliumendpoints -n shop')).stdout,
    /SECURITY IDENTITY +ENDPOINT STATE.*\nweb-0 +4711 +ready/,
  );
  t.match((await sluice('get ciliumidentities -o yaml')).stdout, /security-labels:\n\s+k8s:app: web/);
});

t.test('get prints as it is told: =, columns of ones own, labels, order', async (t) => {
  await sluice('apply -f -', `${netpol('a', 'web')}---\n${netpol('b', 'db')}`);
  t.equal(
    (await sluice('get netpol -o=name')).stdout,
    'networkpolicy.networking.k8s.io/a\nnetworkpolicy.networking.k8s.io/b\n',
  );
  t.match((await sluice('get netpol a -o=yaml')).stdout, /namespace: default/);
  t.equal(
    (
      await sluice([
        'get',
        'netpol',
        '-o',
        'custom-columns=N:.metadata.name,X:.spec.nope',
        '--sort-by',
        '.metadata.labels.app',
      ])
    ).stdout,
    'N   X\nb   <none>\na   <none>\n',
  );
  t.match(await sluice('get netpol -o custom-columns=N'), { code: 2, stderr: /wanted HEADER:PATH/ });
  t.match(await sluice('get netpol -o custom-columns='), { code: 2 });
  t.match((await sluice('get netpol --show-labels')).stdout, /LABELS\na .* app=web\nb .* app=db\n/);
  t.match(await sluice(['get', 'netpol', '-l', 'foo bar']), {
    code: 2,
    stdout: '',
    stderr: /"foo bar" is no requirement/,
  });
  t.match((await sluice(['get', 'netpol', '-l', 'app notin (web)', '-o', 'name'])).stdout, /^\S+\/b\n$/);
});

t.test('label and annotate change what is there, and no value without --overwrite', async (t) => {
  await sluice('apply -n shop -f -', `${netpol('a')}---\n${WEB}`);
  t.match(await sluice('label netpol a -n shop tier=front app-'), {
    code: 0,
    stdout: 'networkpolicy.networking.k8s.io/a labeled\n',
  });
  t.match((await sluice('get netpol a -n shop -o jsonpath={.metadata.labels}')).stdout, /^\{"tier":"front"\}$/m);
  t.match(await sluice('label netpol/a -n shop tier=back'), { code: 1, stderr: /wanted --overwrite/ });
  t.match(await sluice('label netpol/a -n shop tier=back --overwrite'), { code: 0, stdout: /labeled/ });
  t.match(await sluice('label netpol/a -n shop tier=back'), { code: 0, stdout: /a not labeled/ });
  t.match(await sluice('label netpol/a -n shop tier-'), { code: 0, stdout: /a unlabeled/ });
  t.match(await sluice('annotate netpol --all -n shop note=x'), { code: 0, stdout: /a annotated/ });
  t.match(await sluice('label ns shop env=prod'), { code: 0, stdout: 'namespace/shop labeled\n' });
  t.match(await sluice('label ns nope env=prod'), { code: 1, stderr: /namespaces "nope" not found/ });
  t.match(await sluice('label pod web-0 -n shop a=b'), { code: 1, stderr: /is one of Deployment web/ });
  t.match(await sluice('label cep web-0 -n shop a=b'), { code: 1, stderr: /the agent makes it/ });
  await sluice('apply -n shop -f -', 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n');
  t.match(await sluice('annotate pod p -n shop sluice.io/attach=x'), { code: 1, stderr: /wanted veth.*\n.*refused/ });
  t.match(await sluice('label netpol a'), { code: 2 });
});

t.test('scale sets the pods of a workload', async (t) => {
  await sluice('apply -n shop -f -', WEB);
  t.match(await sluice('scale deploy/web -n shop --replicas=3'), { code: 0, stdout: 'deployment.apps/web scaled\n' });
  t.match((await sluice('get deploy web -n shop')).stdout, /web +1\/3 /);
  t.match(await sluice('scale svc/web -n shop --replicas=3'), { code: 2, stderr: /wanted a deployment/ });
  t.match(await sluice('scale deploy/web -n shop'), { code: 2, stderr: /see `sluice scale --help`/ });
});

t.test('wait waits for conditions, values, and the end of objects', async (t) => {
  await sluice('apply -n shop -f -', WEB);
  const wait = (line: string) => sluice(`wait -n shop --timeout 50ms ${line}`);
  t.match(await wait('--for=condition=Ready pod/web-0'), { code: 0, stdout: 'pod/web-0 condition met\n' });
  t.match(await wait('--for=condition=available deploy -l app=web'), { code: 0, stdout: /web condition met/ });
  t.match(await wait('--for=jsonpath={.status.phase}=Running pod --all'), { code: 0 });
  t.match(await wait('--for=jsonpath={.status.phase}=Failed pod/web-0'), {
    code: 1,
    stderr: /timed out .* pod\/web-0/,
  });
  t.match(await wait('--for=delete pod/web-7'), { code: 0, stdout: 'pod/web-7 condition met\n' });
  t.match(await wait('--for=delete svc/web'), { code: 1, stderr: /timed out/ });
  t.match(await wait('--for=condition=Ready pod/nope'), { code: 1, stderr: /pods "nope" not found/ });
  t.match(await wait('--for=ready pod/web-0'), { code: 2, stderr: /wanted condition=NAME/ });
  t.match(await wait('--for=condition=Ready pod'), { code: 2 });
});

t.test('describe shows an object with what is known of it', async (t) => {
  await sluice('apply -n shop -f -', WEB);
  t.match(
    (await sluice('describe pod web-0 -n shop')).stdout,
    /^Name: +web-0\nNamespace: +shop\nReady: +1\/1\nStatus: +ready/,
  );
  t.match(
    (await sluice('describe pod/web-0 -n shop')).stdout,
    /Policy: +ingress Enabled, egress Disabled\nSpec:\n {2}containers:/,
  );
  t.match(await sluice('describe pod nope -n shop'), { code: 1, stderr: /pods "nope" not found/ });
});

t.test('run is refused without a program, and where the pod is there already', async (t) => {
  await sluice('apply -n shop -f -', WEB);
  t.match(await sluice('run db --image=example.com/unknown'), {
    code: 2,
    stderr: /found no program and no image that something stands in/,
  });
  t.match(await sluice('run web-0 -n shop -- true'), { code: 1, stderr: /pods "web-0" already exists/ });
});

t.test('-n before the command and -o=, -l= with it are read as kubectl reads them', async (t) => {
  await sluice('apply -n shop -f -', WEB);
  t.match(await sluice('-n shop get deploy -l=app=web -o=name'), { code: 0, stdout: 'deployment.apps/web\n' });
  t.match(await sluice('--namespace=shop get svc/web -o=name'), { code: 0, stdout: 'service/web\n' });
  t.match(await sluice('-n'), { code: 2 });
  t.match(await sluice('get deploy -n=shop -o=nope'), { code: 2, stderr: /see `sluice get --help`/ });
  t.strictSame(asWritten(['run', 'x', '-n=a', '--', 'sh', '-o=b']), ['run', 'x', '-na', '--', 'sh', '-o=b']);
  t.strictSame(asWritten(['exec', 'x', 'prog', '-o=b']), ['exec', 'x', 'prog', '-o=b']);
});

t.test('get -w prints what changes until Ctrl-C', async (t) => {
  await sluice('apply -f -', `${netpol('a')}---\n${netpol('b')}`);
  const main = join(PACKAGE_ROOT, 'dist/cli/main.js');
  const child = spawn(process.execPath, [main, 'get', 'netpol', '-w', '--show-labels', '--run-dir', folder]);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'exit');
  await until(() => /^b /m.test(output));
  await sluice('label netpol b tier=front');
  await until(() => /app=web,tier=front\n/.test(output));
  t.match(
    output,
    /^NAME .*\na .*app=web\nb .*app=web\nb .*app=web,tier=front\n$/,
    'the header once, and only what changed',
  );
  child.kill('SIGINT');
  t.strictSame(await ended, [0, null]);
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(10);
}

t.test('a dry run says what would become of each object, and changes nothing', async (t) => {
  const made = {
    code: 0,
    stdout: 'deployment.apps/web created (server dry run)\nservice/web created (server dry run)\n',
  };
  t.match(await sluice('apply -n shop -f - --dry-run=server', WEB), made);
  t.match(await sluice('create -n shop -f - --dry-run=server', WEB), made);
  t.strictSame([...store.documents()], []);
  await sluice('apply -n shop -f -', WEB);
  t.match(await sluice('apply -n shop -f - --dry-run=server', WEB.replace('port: 80', 'port: 81')), {
    stdout: 'deployment.apps/web unchanged (server dry run)\nservice/web configured (server dry run)\n',
  });
  t.match(await sluice('create -n shop -f - --dry-run=server', WEB), { code: 1, stderr: /"web" already exists/ });
  for (const how of ['client', 'server'])
    t.match(await sluice(`delete -n shop svc web nope --dry-run=${how}`), {
      code: 1,
      stdout: `service "web" deleted (${how === 'server' ? 'server ' : ''}dry run) from shop namespace\n`,
      stderr: /"nope" not found/,
    });
  t.match(await sluice('delete ns shop --dry-run=server'), { code: 0, stdout: /deployment.apps "web" deleted/ });
  t.equal([...store.documents()].length, 2);
});

t.test('a dry run of the client needs no agent, and prints what can be applied', async (t) => {
  const nobody = { SLUICE_RUN_DIR: join(folder, 'nobody') };
  t.match(await sluice('create ns shop --dry-run=client', '', nobody), {
    code: 0,
    stdout: 'namespace/shop created (dry run)\n',
  });
  t.match(await sluice('create ns shop --dry-run -o yaml', '', nobody), {
    code: 0,
    stdout: 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n',
  });
  t.match(await sluice('run web -n shop --image=nginx --port=80 --dry-run=client -o json', '', nobody), {
    code: 0,
    stdout: /"containers": \[\s+{\s+"name": "web",\s+"image": "nginx",\s+"ports"/,
  });
  const both = await sluice('apply -n shop -f - --dry-run=client -o json', WEB, nobody);
  t.match(JSON.parse(both.stdout), { kind: 'List', items: [{ kind: 'Deployment' }, { metadata: { name: 'web' } }] });
  t.match(await sluice('apply -f - --dry-run=client', netpol('a').replace('podSelector', 'podSelecter'), nobody), {
    code: 1,
    stdout: '',
    stderr: /^stdin:\d+:\d+: error: .*podSelecter/m,
  });
  t.match(await sluice('apply -f - --dry-run=maybe', WEB), {
    code: 2,
    stderr: /Allowed choices are none, client, server/,
  });
});

t.test('diff shows what apply would change, and its exit code says whether anything differs', async (t) => {
  await sluice('apply -n shop -f -', WEB);
  t.strictSame(await sluice('diff -n shop -f -', WEB), { code: 0, stdout: '', stderr: '' });
  const changed = await sluice('diff -n shop -f -', `${WEB.replace('port: 80', 'port: 81')}---\n${netpol('new')}`);
  t.match(changed, { code: 1, stderr: '' });
  t.match(changed.stdout, /LIVE\/v1\.Service\.shop\.web.*\n\+\+\+ .*MERGED\/v1\.Service\.shop\.web/);
  t.match(changed.stdout, /^-\s+- port: 80\n\+\s+- port: 81\n/m);
  t.match(changed.stdout, /^\+kind: NetworkPolicy$/m);
  t.notMatch(changed.stdout, /Deployment|creationTimestamp/);
  t.equal((await sluice('get netpol -A -o name')).stdout, '', 'nothing was applied');
  t.match(await sluice('diff -f -', 'kind: Pod\n'), { code: 2, stderr: /error/ });
  t.match(await sluice('diff -f /nonexistent'), { code: 2, stderr: /ENOENT/ });
  t.match(await sluice('diff -f -', WEB, { SLUICE_RUN_DIR: join(folder, 'nobody') }), { code: 3 });
  const external = { KUBECTL_EXTERNAL_DIFF: 'echo with these:' };
  t.match(await sluice('diff -f -', netpol('x'), external), { code: 0, stdout: /^with these: \S+LIVE \S+MERGED\n$/ });
  t.match(await sluice('diff -f -', netpol('x'), { KUBECTL_EXTERNAL_DIFF: '/nowhere' }), { code: 2, stderr: /ENOENT/ });
});

t.test(
  'edit applies what the editor saved, opens again what was refused, and gives up what was not changed',
  async (t) => {
    await sluice('apply -n shop -f -', WEB);
    const script = join(mkdtempSync(join(folder, 'editor-')), 'editor');
    const edit = (commands: string, env = 'EDITOR') => {
      writeFileSync(script, `echo opened >> ${script}.log; cp "$1" ${script}.seen\n${commands}\n`, { mode: 0o700 });
      writeFileSync(`${script}.log`, '');
      return sluice('edit svc/web -n shop', '', { [env]: `sh ${script}` });
    };
    const port = async () =>
      (await sluice(['get', 'svc', 'web', '-n', 'shop', '-o', 'jsonpath={.spec.ports[0].port}'])).stdout;
    const opened = () => readFileSync(`${script}.log`, 'utf8').split('\n').length - 1;

    t.match(await edit('sed -i \'s/port: 80/port: 81/\' "$1"', 'KUBE_EDITOR'), {
      code: 0,
      stdout: 'service/web edited\n',
    });
    t.equal(await port(), '81\n');
    t.match(readFileSync(`${script}.seen`, 'utf8'), /^# Edit the object below.*\napiVersion: v1\n/s);

    t.match(await edit('true'), { code: 0, stdout: '', stderr: /cancelled, no changes/ });
    t.match(await edit(': > "$1"'), { code: 0, stderr: /cancelled, no changes/ });

    // Wrong, then right: the second time it is opened with the error above it.
    const mended = await edit(
      `if grep -q refused "$1"; then sed -i 's/port: x/port: 82/' "$1"; else sed -i 's/port: 81/port: x/' "$1"; fi`,
    );
    t.match(mended, { code: 0, stdout: 'service/web edited\n' });
    t.equal(await port(), '82\n');
    t.equal(opened(), 2);
    t.match(readFileSync(`${script}.seen`, 'utf8'), /# It was refused:\n# .*spec\.ports.*port.*\napiVersion/s);

    const lost = await edit('sed -i \'s/name: web/name: other/\' "$1"');
    t.match(lost, {
      code: 1,
      stderr: /found Service\/shop\/other, wanted Service\/shop\/web.*\n.*the text is kept in \S+service-web\.yaml/s,
    });
    t.equal(opened(), 2);
    const kept = /kept in (\S+)/.exec(lost.stderr)?.[1] ?? '';
    t.match(readFileSync(kept, 'utf8'), /name: other/);
    rmSync(join(kept, '..'), { recursive: true });

    t.match(await edit('exit 3'), { code: 1, stderr: /run editor sh \S+: it ended with 3: set KUBE_EDITOR/ });
    t.match(await sluice('edit svc/none -n shop'), { code: 1, stderr: /"none" not found/ });
    t.match(await sluice('edit pod/web-0 -n shop'), { code: 1, stderr: /one of Deployment web: change the template/ });
    t.equal(await port(), '82\n');
  },
);
