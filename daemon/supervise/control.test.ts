import t from 'tap';
import { CONTROL, decodeControl, decodeSockets, encodeSockets } from './control.ts';

t.test('packet sockets go 64 a message, each with its port and ring', (t) => {
  const sockets = Array.from({ length: 150 }, (_, i) => [i * 27, { fd: i + 10, ringBytes: 65536 * (i + 1) }] as const);
  const messages = [...encodeSockets(sockets)];
  t.strictSame(
    messages.map(({ fds }) => fds.length),
    [64, 64, 22],
  );
  t.strictSame(
    messages.map(({ bytes }) => decodeControl(bytes).kind),
    messages.map(() => CONTROL.SOCKETS),
  );
  t.strictSame(
    messages.flatMap(({ bytes, fds }) => decodeSockets(bytes, fds)),
    sockets,
  );
  t.strictSame([...encodeSockets([])], []);
  t.end();
});

t.test('a message that does not tell of as many sockets as have come is none', (t) => {
  const [{ bytes, fds }] = [...encodeSockets([[1, { fd: 3, ringBytes: 65536 }]])];
  t.strictSame(decodeSockets(bytes, [...fds, 4]), []);
  t.strictSame(decodeSockets(bytes.subarray(0, 20), fds), []);
  t.strictSame(decodeSockets(bytes, []), []);
  t.end();
});
