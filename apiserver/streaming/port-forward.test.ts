/** Pairs of streams, joined to connections of the pod: over an upgrade, and inside a WebSocket. */
import t from 'tap';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { SpdyClient, textOf, type ClientStream } from '../../test/spdy-client.ts';
import { dialTunnel } from '../../test/web-socket-tunnel.ts';
import { servePortForward, type Connect } from './port-forward.ts';
import { refuse } from './upgrade.ts';

type Tap = Pick<typeof t, 'teardown'>;

async function listening(t: Tap, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A server whose pod has that program at its port 80, and nothing elsewhere. */
async function podWith(t: Tap, program: Parameters<typeof createServer>[1]): Promise<number> {
  const pod = await listening(t, createServer({ allowHalfOpen: true }, program));
  const dial: Connect = async (port) => {
    if (port !== 80) throw new Error(`error forwarding port ${port} to pod p: connection refused`);
    const socket = connect({ port: pod, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  };
  const server = createHttpServer();
  server.on('upgrade', (request, socket, head) => {
    servePortForward(request, socket, head, dial).catch((error: unknown) => {
      refuse(socket, { code: 400, message: String(error) });
    });
  });
  return listening(t, server);
}

const PATHS = {
  'an upgrade': async (port: number) => {
    const client = await SpdyClient.dial(port, '/portforward', ['portforward.k8s.io']);
    if (typeof client === 'string') throw new Error(client);
    return client;
  },
  'a WebSocket': async (port: number) =>
    new SpdyClient(await dialTunnel(port, '/portforward', 'SPDY/3.1+portforward.k8s.io')),
};

function forward(client: SpdyClient, requestid: string, port = '80'): { error: ClientStream; data: ClientStream } {
  const error = client.open({ streamtype: 'error', port, requestid });
  client.send(error, Buffer.alloc(0), true);
  return { error, data: client.open({ streamtype: 'data', port, requestid }) };
}

for (const [name, dial] of Object.entries(PATHS)) {
  t.test(`over ${name}: many at once, each way ends by itself`, async (t) => {
    const client = await dial(
      await podWith(t, (socket) => {
        let text = '';
        socket.on('data', (bytes) => (text += String(bytes)));
        socket.on('end', () => socket.end(text.toUpperCase()));
      }),
    );
    const pairs = Array.from({ length: 50 }, (_, i) => forward(client, String(i)));
    for (const [i, { data }] of pairs.entries()) client.send(data, Buffer.from(`connection ${i}`), true);
    for (const { data, error } of pairs) await client.until(() => data.isEnded && error.isEnded);
    t.strictSame(
      pairs.map(({ data, error }) => [textOf(data), textOf(error), error.resetStatus]),
      pairs.map((_, i) => [`CONNECTION ${i}`, '', 0]),
    );
    client.socket.destroy();
  });

  t.test(`over ${name}: what fails is told, and the others go on`, async (t) => {
    const client = await dial(await podWith(t, (socket) => socket.end('hello')));
    const bad = forward(client, 'a', '81');
    const good = forward(client, 'b');
    await client.until(() => bad.error.isEnded && good.data.isEnded);
    t.equal(textOf(bad.error), 'error forwarding port 81 to pod p: connection refused');
    t.ok(bad.data.isEnded);
    t.equal(textOf(good.data), 'hello');
    client.socket.destroy();
  });
}

t.test('streams without a port, of another type, and twice the same half are refused', async (t) => {
  const client = await PATHS['an upgrade'](await podWith(t, (socket) => socket.end()));
  const refused = [
    client.open({ streamtype: 'data', requestid: '1' }),
    client.open({ streamtype: 'data', requestid: '1', port: '0' }),
    client.open({ streamtype: 'data', requestid: '1', port: '65536' }),
    client.open({ streamtype: 'data', requestid: '1', port: '80x' }),
    client.open({ streamtype: 'stdin', requestid: '1', port: '80' }),
  ];
  client.open({ streamtype: 'data', requestid: '2', port: '80' });
  refused.push(client.open({ streamtype: 'data', requestid: '2', port: '80' }));
  refused.push(client.open({ streamtype: 'error', requestid: '2', port: '81' }));
  await client.until(() => refused.every(({ isEnded }) => isEnded));
  t.strictSame(
    refused.map(({ resetStatus }) => resetStatus),
    [3, 3, 3, 3, 3, 5, 5],
  );
  client.socket.destroy();
});

t.test('clients that number no requests: the error stream, then the data stream', async (t) => {
  const client = await PATHS['an upgrade'](await podWith(t, (socket) => socket.end('hello')));
  client.open({ streamtype: 'error', port: '80' });
  const data = client.open({ streamtype: 'data', port: '80' });
  await client.until(() => data.isEnded);
  t.equal(textOf(data), 'hello');
  client.socket.destroy();
});

t.test('the pod loses its connections when the client goes', async (t) => {
  let gone = () => {};
  const closed = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const client = await PATHS['a WebSocket'](
    await podWith(t, (socket) =>
      socket
        .on('error', () => {})
        .on('end', gone)
        .resume()
        .write('x'),
    ),
  );
  const { data } = forward(client, '1');
  await client.until(() => textOf(data) === 'x');
  client.socket.destroy();
  await closed;
  t.pass('it has');
});
