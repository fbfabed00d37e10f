/**
 * A websocket over HTTP/2 (RFC 8441), as a client of Node asks for it, run inside a pod: says what the answer to each path was, and
 * what came back of what was sent. Usage: node http2-websocket.js ADDRESS PORT PATH...
 */
import * as http2 from 'node:http2';
import { once } from 'node:events';

const [, , address, port, ...paths] = process.argv;
const session = http2.connect(`http://${address}:${port}`);
session.on('error', (error) => process.stdout.write(`session ${error.message}\n`));
await once(session, 'remoteSettings');
process.stdout.write(`offered ${session.remoteSettings.enableConnectProtocol}\n`);
for (const path of paths) {
  const stream = session.request(
    { ':method': 'CONNECT', ':protocol': 'websocket', ':path': path },
    { endStream: false },
  );
  stream.on('error', (error) => process.stdout.write(`${path} ${error.message}\n`));
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
  let back = '';
  stream.setEncoding('utf8').on('data', (text: string) => (back += text));
  if (headers[':status'] === 200) {
    for (const text of ['GET /secret HTTP/1.1\r\n\r\n', 'x'.repeat(100_000)]) stream.write(text);
    while (back.length < 100_024) await once(stream, 'data');
    stream.close();
  }
  await once(stream, 'close');
  process.stdout.write(`${path} ${headers[':status']} ${back.length}\n`);
}
session.close();
