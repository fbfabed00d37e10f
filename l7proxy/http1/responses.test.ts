/** Responses are the server's: read leniently where their end is not in doubt, and passed as they are. */
import t from 'tap';
import { GET, HttpWire } from '../../test/stream/http-wire.ts';
import { RESPONSE } from '../parser.ts';

const NEXT = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext';

/** Each is followed by the answer to a second request, which is found only where the first ends. */
const TAKEN: Record<string, string> = {
  'lines that end in LF': 'HTTP/1.1 200 OK\nContent-Length: 2\nX: y\n\nhi',
  'lines that end either way': 'HTTP/1.1 200 OK\r\nContent-Length: 2\nX: y\r\n\nhi',
  'a folded header': 'HTTP/1.1 200 OK\r\nX: a,\r\n b\r\n\tc\r\nContent-Length: 2\r\n\r\nhi',
  'a Host header that is none': 'HTTP/1.1 200 OK\r\nHost: http://a/b c\r\nHost: b\r\nContent-Length: 2\r\n\r\nhi',
  'padded chunk sizes': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nhi\r\n0000 ;x\r\n\r\n',
  'the same length twice': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nhi',
  'a head of 70 KB': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\nContent-Length: 2\r\n\r\nhi`,
};

for (const [name, response] of Object.entries(TAKEN)) {
  t.test(`a response with ${name} passes as it is, whole or a few bytes at a time`, async (t) => {
    for (const step of [response.length + NEXT.length, 3, 1]) {
      if (step < 3 && response.length > 1000) continue;
      const wire = new HttpWire().request(GET + GET);
      const all = response + NEXT;
      for (let at = 0; at < all.length; at += step) wire.response(all.slice(at, at + step));
      t.equal(wire.out[RESPONSE], all, `${step} bytes at a time`);
      t.notOk(wire.isClosed);
    }
  });
}

const REFUSED: Record<string, string> = {
  'a folded length': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 0\r\n\r\nhi',
  'a folded coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n',
  'a fold behind chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n , gzip\r\n\r\n',
  'a fold before any header': 'HTTP/1.1 200 OK\r\n X: y\r\n\r\n',
  'a lone CR': 'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n',
  'a NUL': 'HTTP/1.1 200 OK\nX: \0\n\n',
  'two lengths': 'HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3\n\nhi',
  'a length that is none behind one': 'HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: x\n\nhi',
  'a length and chunked': 'HTTP/1.1 200 OK\nContent-Length: 2\nTransfer-Encoding: chunked\n\nhi',
  'a head of more than 256 KB': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(263_000)}\r\n\r\n`,
};

for (const [name, response] of Object.entries(REFUSED)) {
  t.test(`a response with ${name} is a 502`, async (t) => {
    const wire = new HttpWire().request(GET).response(response);
    t.match(wire.out[RESPONSE], /^HTTP\/1\.1 502 /);
    t.ok(wire.isClosed);
  });
}
