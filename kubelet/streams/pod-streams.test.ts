/** Which pod, container and namespace a connection gets to, and what it is refused with. */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import { StatusError } from '../../apiserver/storage/status-error.ts';
import { SpdyClient, textOf, type ClientStream } from '../../test/spdy-client.ts';
import { PodStreams, type PodStreamsParts } from './pod-streams.ts';

const NETNS = `slps-${process.pid}`;
execFileSync('ip', ['netns', 'add', NETNS]);
t.teardown(() => execFileSync('ip', ['netns', 'del', NETNS]));
execFileSync('ip', ['-n', NETNS, 'link', 'set', 'lo', 'up']);

/** `rig` is another source's, `bare` one without a namespace here, `ours` has a container that has ended. */
const parts: PodStreamsParts = {
  storage: {
    get: (_, namespace, name) =>
      namespace === 'shop' && name !== 'none' ? ({ kind: 'Pod' } as KubeObject) : undefined,
    isMirrored: (_, __, name) => name !== 'ours',
  },
  kubelet: {
    container: (_, pod, name = 'app') => {
      throw StatusError.badRequest(`container ${name} in pod ${pod} is not running: it has ended`);
    },
    logs: async function* () {
      yield Buffer.from('a line\n');
    },
  },
  network: {
    endpoint: (_, name) => (name === 'rig' ? { state: 'ready', problem: '', netns: NETNS, addresses: [] } : undefined),
  },
  runDir: '/nonexistent',
};

async function server(t: Pick<typeof import('tap').default, 'teardown'>) {
  const streams = new PodStreams(parts);
  const http = createServer();
  http.on('upgrade', (request, socket, head) => {
    const [, name, subresource] = new URL(request.url ?? '', 'http://x').pathname.split('/');
    streams.serve(request, socket, head, { namespace: 'shop', name, subresource: subresource });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.teardown(async () => {
    await streams.stop();
    http.close();
  });
  return { streams, port: (http.address() as AddressInfo).port };
}

const V4 = ['v4.channel.k8s.io'];

async function exec(
  port: number,
  query: string,
): Promise<{ client: SpdyClient; error: ClientStream; stdout: ClientStream }> {
  const client = await SpdyClient.dial(port, `/rig/exec?stdout=1&${query}`, V4);
  if (typeof client === 'string') throw new Error(client);
  return { client, error: client.open({ streamtype: 'error' }), stdout: client.open({ streamtype: 'stdout' }) };
}

t.test('a command in the network namespace of a pod of another source', async (t) => {
  const { port } = await server(t);
  const { client, stdout, error } = await exec(
    port,
    'command=sh&command=-c&command=cut+-d:+-f1+/proc/net/dev%3B+exit+4',
  );
  await client.until(() => client.goAway !== undefined);
  t.match(textOf(stdout).trim().split(/\s+/).at(-1), 'lo');
  t.match(JSON.parse(textOf(error)), { details: { causes: [{ reason: 'ExitCode', message: '4' }] } });
});

for (const { path, protocols = V4, code, message } of [
  { path: '/none/exec?stdout=1&command=x', code: 404, message: 'pods "none" not found' },
  {
    path: '/ours/exec?stdout=1&command=x',
    code: 400,
    message: 'container app in pod ours is not running: it has ended',
  },
  {
    path: '/ours/attach?stdout=1&container=side',
    code: 400,
    message: 'container side in pod ours is not running: it has ended',
  },
  { path: '/bare/exec?stdout=1&command=x', code: 400, message: 'pod bare has no network namespace on this node' },
  {
    path: '/bare/portforward',
    protocols: ['portforward.k8s.io'],
    code: 400,
    message: 'pod bare has no network namespace on this node',
  },
  {
    path: '/rig/attach?stdout=1',
    code: 400,
    message: 'pod rig has no container of ours to attach to: exec and port-forward work',
  },
  { path: '/rig/exec?stdout=1', code: 400, message: 'you must specify at least one command for the container' },
]) {
  t.test(`${path} is refused with a Status`, async (t) => {
    const { port } = await server(t);
    const answer = await SpdyClient.dial(port, path, protocols);
    if (typeof answer !== 'string') throw new Error('it was accepted');
    t.match(answer, new RegExp(`^HTTP/1.1 ${code} `));
    t.match(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))), { kind: 'Status', code, message });
  });
}

t.test('no stream at all is refused in words', async (t) => {
  const { port } = await server(t);
  t.match(
    await SpdyClient.dial(port, '/rig/exec?command=x', V4),
    /400 Bad Request[^]*you must specify at least 1 of stdin, stdout, stderr/,
  );
});

t.test('128 sessions at a time; stop() ends them and their commands', async (t) => {
  const { port, streams } = await server(t);
  const clients = await Promise.all(
    Array.from({ length: 128 }, async () => SpdyClient.dial(port, '/rig/exec?stdout=1&command=sleep&command=1000', V4)),
  );
  t.ok(clients.every((client) => typeof client !== 'string'));
  const running = clients[0] as SpdyClient;
  running.open({ streamtype: 'error' });
  running.open({ streamtype: 'stdout' });
  t.match(
    await SpdyClient.dial(port, '/rig/exec?stdout=1&command=x', V4),
    /429 Too Many Requests[^]*128 sessions are open/,
  );
  await streams.stop();
  while (clients.some((client) => typeof client !== 'string' && !client.isClosed)) await new Promise(setImmediate);
  const { client: next } = await exec(port, 'command=true');
  await next.until(() => next.goAway !== undefined);
});

t.test('what is refused in the middle of its upgrade is no session', async (t) => {
  const { port } = await server(t);
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  for (let i = 0; i < 130; i++) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET /rig/exec?stdout=1&command=true HTTP/1.1\r\nHost: x\r\n${upgrade}`);
    t.match(Buffer.concat(await socket.toArray()).toString(), /^HTTP\/1.1 400/);
  }
  const { client } = await exec(port, 'command=true');
  await client.until(() => client.goAway !== undefined);
});

t.test('port-forward: to 127.0.0.1 in the namespace, and why not', async (t) => {
  const { port } = await server(t);
  const client = await SpdyClient.dial(port, '/rig/portforward', ['portforward.k8s.io']);
  if (typeof client === 'string') throw new Error(client);
  const error = client.open({ streamtype: 'error', port: '7', requestid: '0' });
  client.open({ streamtype: 'data', port: '7', requestid: '0' });
  await client.until(() => error.isEnded);
  const refused = (family: number, address: string) =>
    `IPv${family}: dial tcp${family} ${address}:7: connect: connection refused`;
  t.equal(
    textOf(error),
    `error forwarding port 7 to pod rig: failed to connect to localhost:7 inside namespace "${NETNS}", ${refused(4, '127.0.0.1')} ${refused(6, '[::1]')}`,
  );
});
