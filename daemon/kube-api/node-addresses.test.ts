import t from 'tap';
import { nodeAddresses } from './node-addresses.ts';

const routers = ['10.244.0.1', 'fd00::1'];

t.test('a Node has one address of each family, and that of the router only when there is no other', (t) => {
  const interfaces = ['10.244.0.1', '192.0.2.7', '172.17.0.1', 'fd00::1', '2001:db8::7'];
  t.same(nodeAddresses({ node: undefined, interfaces, routers }), ['192.0.2.7', '2001:db8::7']);
  t.same(nodeAddresses({ node: undefined, interfaces: ['2001:db8::7', '192.0.2.7'], routers }), [
    '192.0.2.7',
    '2001:db8::7',
  ]);
  t.same(nodeAddresses({ node: undefined, interfaces: ['10.244.0.1', '192.0.2.7'], routers }), ['192.0.2.7']);
  t.same(nodeAddresses({ node: undefined, interfaces: routers, routers }), routers);
  t.end();
});

t.test('what the Node of another source says counts before the interfaces, a family at a time', (t) => {
  const addresses = [
    { type: 'Hostname', address: 'here' },
    { type: 'ExternalIP', address: '198.51.100.1' },
    { type: 'InternalIP', address: '192.0.2.9' },
    { type: 'InternalIP', address: '192.0.2.10' },
  ];
  const node = { apiVersion: 'v1', kind: 'Node', status: { addresses } };
  const interfaces = ['192.0.2.7', '2001:db8::7'];
  t.same(nodeAddresses({ node, interfaces, routers }), ['192.0.2.9', '2001:db8::7']);
  t.end();
});
