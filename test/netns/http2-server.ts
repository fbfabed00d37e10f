/**
 * A server of HTTP/2 without TLS on Node: answers with what it saw of a request, counts requests, and takes websockets (RFC 8441).
 * Usage: node http2-server.js PORT
 */
import * as http2 from 'node:http2';

const server = http2.createServer({ settings: { enableConnectProtocol: true } });
let seen = 0;

server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
  stream.on('error', () => {});
  const path = String(headers[':path']);
  if (path === '/metrics') {
    stream.respond({ ':status': 200 });
    stream.end(String(seen));
    return;
  }
  seen++;
  const bytes = /^\/public\/bytes\/(\d+)$/.exec(path);
  if (bytes !== null) {
    stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(Number(bytes[1]), 'b'));
    return;
  }
  let received = 0;
  stream.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (headers[':protocol'] === 'websocket') stream.write(chunk);
  });
  stream.on('trailers', (trailers) => {
    headers['x-trailer'] = trailers['x-trailer'];
  });
  if (headers[':protocol'] === 'websocket') {
    stream.respond({ ':status': 200 });
    return;
  }
  stream.on('end', () => {
    if (stream.destroyed || stream.closed) return; // its client has given it up
    stream.additionalHeaders({ ':status': 103, link: '</x>' });
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-received': String(received) }));
    stream.end(JSON.stringify({ path, method: headers[':method'], received, trailer: headers['x-trailer'] ?? '' }));
  });
});
server.on('sessionError', () => {});
server.listen(Number(process.argv[2]), '::');
