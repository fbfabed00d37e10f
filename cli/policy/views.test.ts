/** `sluice policy matrix`, `selectors` and `mapstate`. */
import t from 'tap';
import { world, policy } from '../../test/policy/offline.ts';

t.test('policy matrix shows who can reach whom', async (t) => {
  t.equal(
    (await policy(['matrix', '-m', world, '-n', 'shop'])).stdout,
    [
      'FROM         shop/api-0   shop/api-0',
      '             8080/TCP     53/UDP',
      'shop/web-0   l7           deny',
      'shop/api-0   allow        allow',
      'world        deny         deny',
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

t.test('policy selectors and mapstate', async (t) => {
  const selectors = (await policy(['selectors', '-m', world])).stdout;
  t.match(selectors, /any:app=api,k8s:io\.kubernetes\.pod\.namespace=shop +subject +1 +\d+ +shop\/api-0/);
  const entries = JSON.parse((await policy(['mapstate', 'shop/api-0', '-m', world, '-o', 'json'])).stdout);
  t.match(entries[0], { egress: false, deny: true, origins: [{ path: 'spec.ingressDeny[0]' }] });
  t.match((await policy(['mapstate', 'shop/api-0', '-m', world])).stdout, /Redirect .*spec\.ingress\[0\]/);
  t.match(await policy(['mapstate', 'shop/none', '-m', world]), { code: 1, stderr: /no such pod/ });
});
