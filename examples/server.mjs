// A tiny server for the examples, on IPv4 and IPv6:  node server.mjs 80 8080 udp:5353 tls:8443
//   GET /headers    the request's headers as JSON
//   GET /metrics    one Prometheus counter: the requests seen
//   GET /bytes/N    N bytes, all 'x'
//   PUT /upload     length and SHA-256 of the body
//   anything else   200 and the request line
//   udp:PORT        sends every datagram back
//   tls:PORT        the same over TLS, with a certificate that nobody vouches for
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import * as https from 'node:https';

let requests = 0;

function digest(request, response) {
  const hash = createHash('sha256');
  let length = 0;
  request.on('data', (part) => {
    length += part.length;
    hash.update(part);
  });
  request.on('end', () => response.end(`${length} ${hash.digest('hex')}\n`));
}

function answer(request, response) {
  requests++;
  const bytes = /^\/bytes\/(\d+)$/.exec(request.url)?.[1];
  if (request.url === '/headers') response.end(`${JSON.stringify({ headers: request.headers }, null, 2)}\n`);
  else if (request.url === '/metrics') response.end(`# TYPE requests_total counter\nrequests_total ${requests}\n`);
  else if (bytes !== undefined) response.end('x'.repeat(Number(bytes)));
  else if (request.url === '/upload') digest(request, response);
  else response.end(`${request.method} ${request.url}\n`);
}

// Key and certificate in one text, which openssl writes to its standard output.
function certificate() {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '-'];
  return execFileSync('openssl', ['req', '-x509', ...key, '-subj', '/CN=example', '-days', '30'], { stdio: 'pipe' });
}

function echo(port) {
  const socket = createSocket({ type: 'udp6', ipv6Only: false });
  socket.on('message', (message, { port, address }) => socket.send(message, port, address));
  socket.bind(port, '::');
}

for (const port of process.argv.slice(2)) {
  const number = Number(port.slice(4));
  if (port.startsWith('udp:')) echo(number);
  else if (port.startsWith('tls:')) {
    const pem = certificate();
    https.createServer({ key: pem, cert: pem }, answer).listen(number, '::');
  } else createServer(answer).listen(Number(port), '::');
}
