import t from 'tap';
import { hex } from '../../test/packets.ts';
import * as vnet from './virtio-net.ts';

t.test('virtio-net header', (t) => {
  const bytes = hex('01 05 4200 b405 2200 1000 ff');
  t.same(
    [vnet.flags, vnet.gsoType, vnet.headerLength, vnet.gsoSize, vnet.csumStart, vnet.csumOffset].map((f) =>
      f(bytes, 10),
    ),
    [1, 5, 66, 1460, 34, 16],
  );
  const other = new Uint8Array(11);
  vnet.setGsoType(other, 10, vnet.GSO_TCPV4);
  vnet.setHeaderLength(other, 10, 54);
  vnet.setGsoSize(other, 10, 8948);
  t.same([vnet.gsoType(other, 10), vnet.headerLength(other, 10), vnet.gsoSize(other, 10)], [1, 54, 8948]);
  vnet.clear(bytes, 10);
  t.same(bytes, hex('00000000000000000000 ff'));
  t.end();
});
