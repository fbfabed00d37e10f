/**
 * A client that asks over one connection, as long as it lives: node asking-client.js ADDRESS PORT 1|2 (of HTTP). A line of its standard
 * input is a request, `{"path", "headers"}`; a line of its output is the status, and the local port of the connection.
 */
import { Agent, get } from 'node:http';
import { connect } from 'node:http2';
import { createInterface } from 'node:readline';

interface Request {
  readonly path: string;
  readonly headers?: Record<string, string>;
}

const [, , address, port, version] = process.argv;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const session = version === '2' ? connect(`http://${address}:${port}`) : undefined;

function ask1({ path, headers = {} }: Request): Promise<string> {
  return new Promise((resolve) => {
    const asked = get({ host: address, port: Number(port), path, headers, agent }, (response) => {
      const { localPort } = response.socket;
      response.resume().on('end', () => resolve(`${response.statusCode} ${localPort}`));
    });
    asked.on('error', ({ message }) => resolve(message));
  });
}

function ask2({ path, headers = {} }: Request): Promise<string> {
  return new Promise((resolve) => {
    const stream = session?.request({ ':path': path, ...headers });
    let status = 0;
    stream?.on('response', (answer) => (status = Number(answer[':status'])));
    stream?.resume().on('close', () => resolve(`${status} ${session?.socket.localPort}`));
    stream?.on('error', ({ message }) => resolve(message));
  });
}

for await (const line of createInterface(process.stdin)) {
  const request = JSON.parse(line) as Request;
  console.log(await (version === '2' ? ask2(request) : ask1(request)));
}
process.exit(0);
