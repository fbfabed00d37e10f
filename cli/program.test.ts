/** Whole command lines against a small fake of the daemon's API, and against real pinned maps without any daemon. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { ENDPOINTS, STATUS, asked, flow, runDir, sluice } from '../test/fake-daemon.ts';

t.test('endpoint list prints the columns of cilium-dbg, a label a line', async (t) => {
  const { code, stdout } = await sluice('endpoint list');
  t.equal(code, 0);
  t.equal(
    stdout,
    [
      'ENDPOINT   POLICY (ingress)   POLICY (egress)   IDENTITY   LABELS (source:key[=value])            IPv6      IPv4         STATUS',
      '           ENFORCEMENT        ENFORCEMENT',
      '7          Enabled            Disabled          4711       k8s:app=web                            fd00::2   10.244.0.2   ready',
      '                                                           k8s:io.kubernetes.pod.namespace=shop',
      '',
    ].join('\n'),
  );
});

t.test('endpoint get takes an id or a pod, and says when there is none', async (t) => {
  t.strictSame(JSON.parse((await sluice('endpoint get 7')).stdout), ENDPOINTS[0]);
  t.equal((await sluice('endpoint get shop/web-0 -o jsonpath={.identity}')).stdout, '4711\n');
  t.match(await sluice('endpoint get 8'), {
    code: 1,
    stderr: 'error: find endpoint 8: there is none: see `sluice endpoint list`\n',
  });
  t.match(await sluice('endpoint get shop/none'), { code: 1, stderr: /find endpoint shop\/none: there is none/ });
});

t.test('identity get takes a number or the name of a reserved identity', async (t) => {
  t.match(JSON.parse((await sluice('identity get 4711 -o json')).stdout), { labels: ['k8s:app=web'] });
  t.match(JSON.parse((await sluice('identity get host -o json')).stdout), { id: 1 });
  t.match(await sluice('identity get 12'), { code: 1, stderr: /find identity 12: there is none/ });
});

t.test('identity list sorts by number; -o yaml, name and --no-headers do as they say', async (t) => {
  t.equal((await sluice('identity list')).stdout, 'ID     LABELS\n1      reserved:host\n4711   k8s:app=web\n');
  t.equal((await sluice('identity list --no-headers')).stdout, '1      reserved:host\n4711   k8s:app=web\n');
  t.match((await sluice('identity list -o yaml')).stdout, /^- id: 1\n/);
  t.equal((await sluice('identity list -o name')).stdout, 'identity/1\nidentity/4711\n');
  t.match(await sluice('identity list -o xml'), { code: 2, stderr: /wanted one of name, json, yaml/ });
});

t.test('fqdn cache list prints the columns of cilium-dbg, and asks for what is wanted', async (t) => {
  t.equal(
    (await sluice('fqdn cache list')).stdout,
    [
      'Endpoint   Source       FQDN               TTL   ExpirationTime             IPs',
      '7          lookup       api.example.com.   30    2026-03-01T12:00:30.000Z   192.0.2.1,2001:db8::1',
      '7          connection   b.example.com.     5     2026-03-01T12:00:30.000Z   192.0.2.9',
      '',
    ].join('\n'),
  );
  await sluice('fqdn cache list -e 7 -p *.example.com -s connection -o json');
  t.match(asked.at(-1)?.url, /^\/v1\/fqdn\/cache\?endpoint=7&pattern=\*\.example\.com&source=connection$/);
  t.match(await sluice('fqdn cache list -s other'), {
    code: 2,
    stderr: /Allowed choices are lookup, connection, guarded/,
  });
});

t.test('fqdn cache clean forgets by pattern, and all only by force; fqdn names lists selectors', async (t) => {
  t.match(await sluice('fqdn cache clean'), { code: 1, stderr: /wanted one, or --force/ });
  t.equal((await sluice('fqdn cache clean -p a.*')).stdout, '2 lookups forgotten\n');
  t.match(asked.at(-1), { method: 'DELETE', url: '/v1/fqdn/cache?pattern=a.*' });
  t.equal((await sluice('fqdn cache clean --force')).code, 0);
  t.equal(
    (await sluice('fqdn names')).stdout,
    [
      'SELECTOR        NAMES              IPs',
      '*.example.com   api.example.com.   192.0.2.1',
      '                                   2001:db8::1',
      '',
    ].join('\n'),
  );
});

t.test('cookie shows the rules behind it, and what they say as long as they are in force', async (t) => {
  const place = 'CiliumNetworkPolicy/shop/allow-web spec.egressDeny[0] (a.yaml:7)\n';
  t.match(await sluice('cookie 5'), { code: 0, stdout: `${place}    {}\n` });
  const gone = `${place}    # it is no longer in force\nallow-localhost: what the compiler adds by itself\n`;
  t.match(await sluice('cookie 13'), { code: 0, stdout: gone });
  t.match(await sluice('cookie 14'), { code: 1, stderr: /no rule is behind it/ });
  t.match(await sluice('cookie twelve'), { code: 2, stderr: /wanted a whole number/ });
  t.equal((await sluice('cookie 5 -o name')).stdout, 'CiliumNetworkPolicy/shop/allow-web\n');
});

t.test('status prints key and value, and ends with 1 when something is wrong', async (t) => {
  t.equal(
    (await sluice('status')).stdout,
    [
      'Sluice:         ok, version 0.1.0, instance test on node vm',
      'Agent:          running, pid 7, up 1h1m',
      'Dataplane:      running, pid 8, 0 restarts',
      'Endpoints:      1/2 ready',
      'Services:       1, 2 frontends, 3 backends',
      'DNS:            sluice-dns, pid 4713, 0 restarts, asked at 10.96.0.10; asks 192.0.2.53#53 (avoided)',
      'Policies:       1, revision 5, enforcement default',
      'Identities:     12',
      'Hubble:         9/4095 flows kept, 9 seen, 0 lost',
      'Hubble API:     hubble.sock, 127.0.0.1:4245, not on :4244; 2 clients, 21.5 flows/s, 7 lost by slow clients',
      'Memory:         agent 80 MiB',
      'Problems:       none',
      '',
    ].join('\n'),
  );
  t.match((await sluice('status --verbose')).stdout, /MAP +ENTRIES +CAPACITY +PRESSURE.*\nipcache +10 +100 +10\.0%/);
  t.match(await sluice('status --brief'), { code: 0, stdout: 'OK\n' });
  STATUS.audit.endpoints.push(...[1, 2, 3, 4, 5, 6, 7].map((i) => `shop/web-${i}`));
  t.match(
    (await sluice('status')).stdout,
    /Audit: +passes: all that is for or from shop\/web-1, .*, shop\/web-5 and 2 more\n/,
  );
  STATUS.audit.endpoints.length = 0;
  Object.assign(STATUS.names, { selectors: 1, names: 2, lookups: 3, zombies: 1, guarded: 4 });
  STATUS.names.unlearnt.push({ policy: 'CiliumNetworkPolicy/a/b', pods: ['a/web'] });
  t.match(
    (await sluice('status')).stdout,
    [
      'Names:          1 selector, 2 names, 3 addresses learnt, 1 past their TTL, 4 of the inside refused\n',
      'Names:          toFQDNs of CiliumNetworkPolicy/a/b: nothing is learnt for a/web, no DNS rule selects them\n',
    ].join(''),
  );
  Object.assign(STATUS.names, { selectors: 0, lookups: 0, unlearnt: [] });
  STATUS.problems.push('pod shop/web-1: namespace missing: ip netns add shop-web-1');
  t.match(await sluice('status --brief'), { code: 1, stdout: /^pod shop\/web-1: namespace missing/ });
  t.match((await sluice('status')).stdout, /degraded.*Problems:\n {2}pod shop\/web-1/s);
  STATUS.problems.pop();
});

t.test('observe asks for what the flags say, and prints what comes as hubble does', async (t) => {
  const { code, stdout, stderr } = await sluice(
    'observe --last 5 --pod shop/web-0 --not --port 53 --print-policy-names',
  );
  t.equal(code, 0);
  t.equal(
    stdout,
    'Jan 31 00:00:00.006: shop/web-0:41000 (ID:4711) -> shop/api-0:8080 (ID:4712) to-endpoint FORWARDED (TCP Flags: SYN)\n',
  );
  t.equal(stderr, 'EVENTS LOST: HUBBLE_RING_BUFFER CPU(0) 3\n');
  const query = new URL(asked.at(-1)?.url ?? '', 'http://x').searchParams;
  t.equal(query.get('last'), '5');
  t.strictSame(JSON.parse(query.get('filter') ?? ''), [
    { source_pod: ['shop/web-0'] },
    { destination_pod: ['shop/web-0'] },
  ]);
  t.strictSame(JSON.parse(query.get('deny') ?? ''), [{ source_port: ['53'] }, { destination_port: ['53'] }]);
  t.match(await sluice('observe --last 1 --first 1'), { code: 2, stderr: /wanted one/ });
  t.match(await sluice('observe --verdict PERHAPS'), { code: 2 });
  t.match(await sluice('observe --time-format never'), { code: 2, stderr: /wanted one of StampMilli/ });
});

t.test('observe --input-file filters a file of flows', async (t) => {
  const lines = [443, 80, 80].map((port, at) => JSON.stringify(flow(port, `2026-01-31T00:00:0${at}.000Z`))).join('\n');
  const { stdout } = await sluice('observe --input-file - --port 80 -o json', lines);
  t.equal(stdout.trim().split('\n').length, 2);
  t.match(
    (await sluice('observe --input-file - --first 1 -o dict', lines)).stdout,
    /TIMESTAMP: Jan 31 00:00:00\.000\n/,
  );
  t.match((await sluice('observe --input-file - --last 1', lines)).stdout, /^Jan 31 00:00:02/);
  t.match(
    (await sluice('observe --input-file - --since 2026-01-31T00:00:01Z', lines)).stdout,
    /:01\.000.*\n.*:02\.000/,
  );
  const packed = join(mkdtempSync(join(tmpdir(), 'sluice-flows-')), 'flows.log.gz');
  t.teardown(() => rmSync(dirname(packed), { recursive: true }));
  writeFileSync(packed, Buffer.concat([gzipSync(`${lines}\n`), gzipSync(lines)]));
  t.equal(
    (await sluice(`observe --input-file ${packed} --port 80 -o json`)).stdout.trim().split('\n').length,
    4,
    'gzip',
  );
  t.match(
    (await sluice(`observe --input-file ${packed} --last 3`)).stdout,
    /^Jan 31 00:00:00.*\n.*:01\.000.*\n.*:02\.000/,
  );
  t.equal((await sluice(`observe --input-file ${packed} --last 0`)).stdout, '');
  truncateSync(packed, 40);
  t.match(await sluice(`observe --input-file ${packed}`), {
    code: 1,
    stderr: /flows\.log\.gz: Z_BUF_ERROR: check --input-file/,
  });
  t.match(await sluice('observe --input-file /nowhere'), { code: 1, stderr: /read \/nowhere: ENOENT/ });
  t.match(await sluice('observe --input-file -', 'x'), { code: 1, stderr: /-:1: found 'x', wanted a flow as JSON/ });
  t.match((await sluice('observe --port 80 --print-raw-filters')).stdout, /^\{"allowlist":\[\{"source_port"/);
});

t.test('get pods joins pods and endpoints; -o yaml gives the object back', async (t) => {
  t.equal(
    (await sluice('get po -A')).stdout,
    'NAMESPACE   NAME    READY   STATUS   IP           ENDPOINT   IDENTITY   AGE\n' +
      'shop        web-0   1/1     ready    10.244.0.2   7          4711       <unknown>\n',
  );
  t.match(asked.at(-2)?.url, '/v1/objects');
  t.match((await sluice('get pods web-0 -n shop -o yaml')).stdout, /^apiVersion: v1\nkind: Pod\n/);
  t.match((await sluice('get pods -n shop -o json')).stdout, /"kind": "List"/);
  t.match(await sluice('get pods -n shop nobody'), {
    ...{ code: 1, stdout: '', stderr: 'Error from server (NotFound): pods "nobody" not found\n' },
  });
  t.match(await sluice('get svc'), { code: 0, stdout: '', stderr: 'No resources found in default namespace\n' });
  t.match(
    (await sluice('get pods -n unattached')).stdout,
    /pod-0 +0\/1 +host +<unknown>\npod-1 +0\/1 +remote +<unknown>\npod-2 +0\/1 +waiting +<unknown>\n/,
  );
  t.match(await sluice('get ccg'), { code: 0, stdout: '', stderr: 'No resources found\n' });
});

t.test('get policies prefixes names with their kinds, as kubectl does for several kinds', async (t) => {
  t.equal(
    (await sluice('get policies -A')).stdout,
    'NAMESPACE   NAME                                      SUBJECT   DIRECTIONS           AGE\n' +
      'shop        ciliumnetworkpolicy.cilium.io/allow-web   app=web   ingress,egressDeny   <unknown>\n',
  );
});

t.test('policy get lists what is in force and where it was written', async (t) => {
  const { stdout } = await sluice('policy get');
  t.equal(
    stdout,
    'KIND                  NAMESPACE   NAME        FROM\nCiliumNetworkPolicy   shop        allow-web   a.yaml:3\n',
  );
  t.match(JSON.parse((await sluice('policy get allow-web -o json')).stdout), [
    { object: { kind: 'CiliumNetworkPolicy' } },
  ]);
  t.match(await sluice('policy get nothing'), { code: 1, stderr: /not found/ });
});

t.test('apply reads standard input and prints what was done', async (t) => {
  const outcome = await sluice('apply -f -', 'kind: Pod\n');
  t.match(outcome, { code: 0, stdout: 'pod/web-0 created\n' });
  t.match(asked.at(-1), { method: 'POST', url: '/v1/apply?file=stdin', body: 'kind: Pod\n' });
});

t.test('apply prints every problem with its place, and ends with 1', async (t) => {
  const outcome = await sluice('apply -f -', 'bad');
  t.match(outcome, { code: 1, stdout: '', stderr: 'stdin:3:5: error: spec: found bad, wanted good (try good)\n' });
});

t.test('apply reads the manifests of a folder in order of name', async (t) => {
  const folder = join(runDir, 'manifests');
  mkdirSync(folder);
  writeFileSync(join(folder, 'b.yaml'), 'b');
  writeFileSync(join(folder, 'a.json'), 'a');
  writeFileSync(join(folder, 'README.md'), 'not a manifest');
  const from = asked.length;
  t.equal((await sluice(['apply', '-f', folder])).code, 0);
  t.strictSame(
    asked.slice(from).map(({ body }) => body),
    ['a', 'b'],
  );
  t.match(await sluice('apply -f /nowhere.yaml'), {
    code: 1,
    stderr: 'error: read /nowhere.yaml: ENOENT: check the -f argument\n',
  });
});

t.test('delete by kind and name sends references; wrong usage ends with 2', async (t) => {
  t.match(await sluice('delete cnp -n shop allow-web'), {
    code: 0,
    stdout: 'ciliumnetworkpolicy.cilium.io "allow-web" deleted from shop namespace\n',
  });
  const reference = { kind: 'CiliumNetworkPolicy', name: 'allow-web', namespace: 'shop' };
  t.strictSame(JSON.parse(asked.at(-1)?.body ?? ''), [reference]);
  t.equal((await sluice('delete')).code, 2);
  t.equal((await sluice('delete cnp')).code, 2);
  t.equal((await sluice('delete cheese brie')).code, 2);
});

t.test('a daemon that hangs is given up after --timeout, with exit code 3', async (t) => {
  const outcome = await sluice('get nodes --timeout 50ms');
  t.match(outcome, { code: 3, stderr: /no answer within 50 ms: is sluiced hung/ });
  t.match(await sluice('observe --last 77 --timeout 50ms'), { code: 3, stderr: /no answer within 50 ms/ });
});

t.test('exit codes: 3 without a daemon, 2 for wrong usage, 0 for help', async (t) => {
  t.match(await sluice('endpoint list --run-dir /nowhere'), {
    code: 3,
    stderr: 'error: connect /nowhere/sluice.sock: ENOENT: is sluiced running? start it with `sluice daemon`\n',
  });
  t.match(await sluice('--name none endpoint list'), { code: 3, stderr: /connect \/run\/none\/sluice.sock/ });
  t.match(await sluice('frobnicate'), { code: 2, stderr: /unknown command 'frobnicate'/ });
  t.match(await sluice('help frobnicate'), { code: 2, stdout: '', stderr: /unknown command 'frobnicate'/ });
  t.match(await sluice('help rig up'), { code: 0, stdout: /^Usage: sluice rig up / });
  t.match(await sluice('observe frobnicate'), { code: 2, stderr: /'frobnicate' is invalid.*flows/ });
  t.match(await sluice('monitor --once'), { code: 2, stderr: /give --oldest too/ });
  t.match(await sluice('endpoint lst'), { code: 2, stderr: /Did you mean list/ });
  t.match(await sluice('endpoint list --colour'), { code: 2, stderr: /unknown option/ });
  t.equal((await sluice('endpoint')).code, 2);
  t.match(await sluice('endpoint list --help'), { code: 0, stdout: /Usage: sluice endpoint list/ });
  t.match(await sluice('version'), { code: 0, stdout: /^sluice \d+\.\d+\.\d+/ });
});

t.test('colours come with --color always and not otherwise', async (t) => {
  t.match((await sluice('endpoint list --color always')).stdout, '\x1b[32mready\x1b[39m');
  t.notMatch((await sluice('endpoint list')).stdout, '\x1b');
});

t.test('completion scripts are printed for each shell, and pods are completed from the daemon', async (t) => {
  for (const shell of ['bash', 'zsh', 'fish'])
    t.match((await sluice(`completion ${shell}`)).stdout, 'sluice __complete');
  t.equal((await sluice('completion csh')).code, 2);
  t.equal((await sluice(['__complete', '--', 'cookie', ''])).stdout, '5\t\n');
  t.equal((await sluice(['__complete', '--', 'exec', ''])).stdout, 'shop/web-0\t\n');
  t.match((await sluice(['__complete', '--', 'obs'])).stdout, /^observe\tShow flows/);
});

t.test('exec without a known pod says so', async (t) => {
  t.match(await sluice('exec shop/nobody -- true'), { code: 1, stderr: /no such pod here|not there/ });
  t.match(await sluice('exec shop/web-0 --'), { code: 2, stderr: /wanted a program/ });
  t.match(await sluice('exec a/b/c -- true'), { code: 2, stderr: /wanted a pod as namespace\/name/ });
});

t.test('capture names what is missing', async (t) => {
  t.match(await sluice('capture -w /tmp/x.pcapng'), { code: 1, stderr: /no journal of an agent/ });
  t.match(await sluice('capture -w /tmp/x.pcapng -i nosuch0'), {
    code: 1,
    stderr: /capture nosuch0: no such interface: see `ip link`/,
  });
  t.equal((await sluice('capture')).code, 2);
});

t.test('rig list and status name the programs of a rig that have ended', async (t) => {
  const process = { namespace: 'lab', pod: 'web', container: 'c', argv: ['true'], log: '/log', pid: 1, startTime: '1' };
  const rig = {
    name: 'lab',
    files: ['lab.yaml'],
    netns: [],
    objects: [],
    pods: [{}],
    processes: [process],
  };
  mkdirSync(join(runDir, 'rig'));
  writeFileSync(join(runDir, 'rig/lab.json'), JSON.stringify(rig));
  t.teardown(() => rmSync(join(runDir, 'rig'), { recursive: true }));
  t.match((await sluice('rig list')).stdout, /^lab +1 +0\/1 +lab\/web c +lab\.yaml$/m);
  t.match((await sluice('status')).stdout, /^Rig: +lab, 0\/1 programs run; ended: lab\/web c: see `sluice logs`$/m);
  t.match(JSON.parse((await sluice('status -o json')).stdout), { rigs: [{ name: 'lab', ended: ['lab/web c'] }] });
});

t.test('rig list, rig down and logs without a rig', async (t) => {
  t.match(await sluice('rig list'), { code: 0, stdout: 'RIG   PODS   PROGRAMS   ENDED   FILES\n' });
  t.match(await sluice('rig down shop'), { code: 1, stderr: /no rig 'shop' is up here/ });
  t.equal((await sluice('rig down')).code, 2);
  t.match(await sluice('logs shop/web-0'), { code: 1, stderr: /no rig runs a container there/ });
});
