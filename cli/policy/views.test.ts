/** `sluice policy matrix`, `selectors` and `mapstate`. */
import t from 'tap';
import { world, policy } from '../../test/policy/offline.ts';

t.test('policy matrix shows who can reach whom', async (t) => {
  t.equal(
    (await policy(['matrix', '-m', world, '-n', 'shop'])).stdout,
    [
      'FROM         shop/web-0   shop/api-0   shop/api-0',
      '             any/TCP      8080/TCP     53/UDP',
      'shop/web-0   allow        l7           deny',
      'shop/api-0   allow        allow        allow',
      'world        allow        deny         deny',
      '',
    ].join('\n'),
  );
  const csv = (await policy(['matrix', '-m', world, '-n', 'shop', '--port', '443', '--entity', 'host', '-o', 'csv']))
    .stdout;
  t.equal(
    csv,
    'from,shop/web-0:443/TCP,shop/api-0:443/TCP,host:443/TCP\nshop/web-0,allow,deny,deny\nshop/api-0,allow,allow,allow\nhost,allow,allow,allow\n',
  );
  t.match((await policy(['matrix', '-m', world, '-o', 'html'])).stdout, '<td class="l7">l7</td>');
  t.equal((await policy(['matrix', '-m', world, '--port', 'x'])).code, 2);
  t.match(await policy(['matrix', '-m', world, '--entity', 'x']), { code: 1, stderr: /found 'x', wanted one that/ });
});

/** Many pods of two workloads: one rule names ports, no container does. */
const CROWD = [
  workload('web', 60, 'app: web'),
  workload('db', 40, 'app: db'),
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'db', namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 5432 }] }],
    },
  },
];

function workload(name: string, replicas: number, label: string): object {
  const [key, value] = label.split(': ');
  const template = { metadata: { labels: { [key]: value } }, spec: { containers: [] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop' },
    spec: { replicas, template },
  };
}

t.test('policy matrix groups many pods, and has columns for pods that declare no ports', async (t) => {
  const crowd = (...args: string[]) =>
    policy(['matrix', '-m', '-', ...args], JSON.stringify({ kind: 'List', items: CROWD }));
  const { stdout, stderr } = await crowd();
  t.equal(
    stdout,
    [
      'FROM                 shop/web (60 pods)   shop/db (40 pods)   shop/db (40 pods)',
      '                     any/TCP              5432/TCP            other/TCP',
      'shop/web (60 pods)   allow                allow               deny',
      'shop/db (40 pods)    allow                deny                deny',
      'world                allow                deny                deny',
      '',
    ].join('\n'),
  );
  t.match(stderr, /note: 100 pods shown by workload: `--by pod` shows each/);
  t.match(
    stderr,
    /note: no container port is declared by shop\/web \(60 pods\), shop\/db \(40 pods\): shown are the ports that/,
  );
  const each = (await crowd('--by', 'pod', '-o', 'csv')).stdout.split('\n');
  t.equal(each.length, 1 + 60 + 40 + 1 + 1);
  t.equal(each[0].split(',').length, 1 + 60 + 2 * 40);

  const few = await crowd(
    '--from',
    'shop/web-3',
    '--from',
    'world',
    '--to',
    'shop/db-3',
    '--port',
    '5432',
    '-o',
    'csv',
  );
  t.equal(few.stdout, 'from,shop/db-3:5432/TCP\nshop/web-3,allow\nworld,deny\n');
  const chosen = await crowd(
    '--from',
    'app=web',
    '--to',
    'shop/app in (db)',
    '--to',
    '10.0.0.1',
    '--by',
    'identity',
    '-o',
    'json',
  );
  t.strictSame(
    JSON.parse(chosen.stdout).map((one: { from: string; to: string; port: unknown; verdict: string }) =>
      Object.values(one).join(' '),
    ),
    [
      'shop/app=web (60 pods) shop/app=db (40 pods) 5432 TCP allow',
      'shop/app=web (60 pods) shop/app=db (40 pods) other TCP deny',
      'shop/app=web (60 pods) 10.0.0.1 any TCP allow',
    ],
  );
  t.match(await crowd('--to', 'shop/nobody'), { code: 1, stderr: /look up 'shop\/nobody': found no such pod/ });
  t.match(await crowd('--to', 'app=nobody'), { code: 1, stderr: /look up 'app=nobody'/ });
  t.match(await crowd('--by', 'colour'), { code: 2, stderr: /--by: found 'colour', wanted pod, workload or identity/ });
});

t.test('policy matrix says where the pods of a group differ', async (t) => {
  const pod = (name: string, app: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...{ name, namespace: 'shop', labels: { app, 'pod-template-hash': '7f' } },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-7f', controller: true }],
    },
    spec: { containers: [] },
  });
  const items = [pod('web-7f-a', 'db'), pod('web-7f-b', 'web'), CROWD[2]];
  const { stdout } = await policy(
    ['matrix', '-m', '-', '--by', 'workload', '--port', '5432', '--to', 'shop/web'],
    JSON.stringify({ kind: 'List', items }),
  );
  t.equal(
    stdout,
    [
      'FROM                shop/web (2 pods)',
      '                    5432/TCP',
      'shop/web (2 pods)   allow', // each to the other
      'world               mixed', // only one of them is closed
      '',
    ].join('\n'),
  );
});

t.test('policy selectors and mapstate', async (t) => {
  const selectors = (await policy(['selectors', '-m', world])).stdout;
  t.match(selectors, /any:app=api,k8s:io\.kubernetes\.pod\.namespace=shop +subject +1 +\d+ +shop\/api-0/);
  const entries = JSON.parse((await policy(['mapstate', 'shop/api-0', '-m', world, '-o', 'json'])).stdout);
  t.match(entries[0], { egress: false, deny: true, origins: [{ path: 'spec.ingressDeny[0]' }] });
  t.match((await policy(['mapstate', 'shop/api-0', '-m', world])).stdout, /Redirect .*spec\.ingress\[0\]/);
  t.match(await policy(['mapstate', 'shop/none', '-m', world]), { code: 1, stderr: /no such pod/ });
});
