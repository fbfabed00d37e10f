import t from 'tap';
import { policyText, shownLine } from './policy-text.ts';

const text = policyText({
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'web', namespace: 'shop', uid: 'x' },
  spec: {
    endpointSelector: { matchLabels: { app: 'web' } },
    ingress: [{ fromEndpoints: [{}], toPorts: [{ ports: [{ port: '80' }] }] }, { fromEntities: ['world'] }],
    ingressDeny: [{ fromCIDR: ['192.0.2.0/24'] }],
  },
});
const at = (path: string) => text.lines[text.lineOf(path) - 1].trim();

t.test('policyText() knows the line of each part', (t) => {
  t.equal(at('spec'), 'spec:');
  t.equal(at('spec.ingress'), 'ingress:');
  t.equal(at('spec.ingress[0]'), '- fromEndpoints:');
  t.equal(at('spec.ingress[0].toPorts[0].ports[0]'), '- port: "80"');
  t.equal(at('spec.ingress[1]'), '- fromEntities:');
  t.equal(at('spec.ingressDeny[0]'), '- fromCIDR:');
  t.notMatch(text.lines.join('\n'), /uid/);
  t.end();
});

t.test('what is not there has the line of the closest thing around it', (t) => {
  t.equal(at('spec.ingress[7].toPorts'), 'ingress:');
  t.equal(text.lineOf('nothing'), 1);
  t.equal(text.lineOf('][.['), 1);
  t.end();
});

t.test('a line of the file is shown as the rule that begins there or before it', (t) => {
  const places = [
    { path: '', line: 3 },
    { path: 'spec.ingress[0]', line: 12 },
    { path: 'spec.ingress[1]', line: 20 },
  ];
  t.equal(shownLine(text, places, 20), text.lineOf('spec.ingress[1]'));
  t.equal(shownLine(text, places, 15), text.lineOf('spec.ingress[0]'));
  t.equal(shownLine(text, places, 5), 1);
  t.end();
});
