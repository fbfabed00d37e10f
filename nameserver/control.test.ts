/** Requests on the control socket: read strictly. */
import t from 'tap';
import { parseRequest } from './control.ts';

const read = (value: unknown) => parseRequest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

t.test('requests are read', async (t) => {
  t.strictSame(read({ ask: 'status' }), { ask: 'status' });
  const sockets = [{ type: 'udp', address: '10.0.0.10', port: 53 }];
  t.strictSame(read({ ask: 'listen', sockets }), { ask: 'listen', sockets });
});

t.test('what is none is refused', async (t) => {
  const socket = { type: 'udp', address: '::', port: 53 };
  const cases: readonly [unknown, RegExp][] = [
    ['', /Unexpected end/],
    [{ ask: 'zones' }, /ask: found "zones"/],
    [{ ask: 'status', sockets: [] }, /sockets: found \[\], wanted no such member/],
    [{ ask: 'listen' }, /sockets: found nothing/],
    [{ ask: 'listen', sockets: new Array(17).fill(socket) }, /found 17, wanted at most 16/],
    [{ ask: 'listen', sockets: [{ ...socket, type: 'raw' }] }, /sockets\[0\]: type: found "raw"/],
    [{ ask: 'listen', sockets: [{ ...socket, address: 'kube-dns' }] }, /address: found "kube-dns"/],
  ];
  for (const [value, message] of cases) t.throws(() => read(value), { name: 'SyntaxError', message });
});
