/** The API on real sockets, as clients of every protocol meet it. */
import type { ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import t from 'tap';
import { run, waitFor } from '../../../test/command.ts';
import { FakeSource } from '../../../test/hubble/observer-source.ts';
import { envelopeOf } from '../../../hubble/message/envelope.ts';
import { Health } from '../../../hubble/proto/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../../hubble/proto/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as Alpha } from '../../../hubble/proto/grpc/reflection/v1alpha/reflection_pb.ts';
import { Observer } from '../../../hubble/proto/observer/observer_pb.ts';
import { Peer } from '../../../hubble/proto/peer/peer_pb.ts';
import { FlowServer } from '../flow-server.ts';
import { ObserverApi } from './observer-api.ts';

const source = new FakeSource();
source.fill(300);
const api = new ObserverApi(source);
const notFound = {
  owns: () => true,
  serve: (_: unknown, response: ServerResponse) => void response.writeHead(404).end(),
};
const server = new FlowServer([api, notFound]);
const port = await server.listen({ host: '127.0.0.1', port: 0 });
const path = join(t.testdir(), 'hubble.sock');
await server.listen({ path, groupId: undefined });
t.teardown(() => server.stop());

const baseUrl = `http://127.0.0.1:${port}`;
const grpc = createGrpcTransport({ baseUrl });
const transports: Readonly<Record<string, Transport>> = {
  grpc,
  'grpc on the unix socket': createGrpcTransport({
    baseUrl: 'http://localhost',
    nodeOptions: { createConnection: () => connect(path) },
  }),
  'grpc with JSON': createGrpcTransport({ baseUrl, useBinaryFormat: false }),
  'grpc-web': createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  'grpc-web on HTTP/2': createGrpcWebTransport({ baseUrl, httpVersion: '2' }),
  connect: createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  'connect with protobuf on HTTP/2': createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: true }),
};

type Flows = Parameters<Client<typeof Observer>['getFlows']>[0];

async function flowsOf(transport: Transport, request: Flows) {
  const envelopes = [];
  for await (const one of createClient(Observer, transport).getFlows(request)) envelopes.push(envelopeOf(one));
  return envelopes;
}

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'none',
    (error: unknown) => Code[ConnectError.from(error).code],
  );

t.test('flows by every protocol, each as it was', async (t) => {
  const kept = Array.from({ length: 300 }, (_, i) => source.flows.at(i));
  for (const [name, transport] of Object.entries(transports)) {
    const got = await flowsOf(transport, { number: 1000n });
    t.equal(got.length, 300, name);
    const other = got.findIndex((one, i) => JSON.stringify(one) !== JSON.stringify(kept[i]));
    if (other >= 0) t.equal(JSON.stringify(got[other]), JSON.stringify(kept[other]), `${name}: flow ${other}`);
  }
  const dropped = await flowsOf(grpc, {
    number: 5n,
    whitelist: [{ verdict: [2] }],
    blacklist: [{ protocol: ['udp'] }],
  });
  t.ok(dropped.length === 5 && dropped.every(({ flow }) => flow?.verdict === 'DROPPED' && flow.l4?.UDP === undefined));
  const [masked] = await flowsOf(grpc, { number: 1n, fieldMask: { paths: ['source.identity', 'uuid'] } });
  t.same(masked.flow?.uuid, '299');
  t.notOk(Object.hasOwn(masked.flow!, 'node_name'), 'what the mask does not name is not sent');
});

t.test('what is wrong with a request is told', async (t) => {
  const refused: readonly [Flows, RegExp][] = [
    [{ first: true, follow: true }, /first cannot be specified with follow/],
    [{ whitelist: [{ sourceIp: ['10.0.0'] }] }, /invalid IP address in filter/],
    [{ blacklist: [{ experimental: { celExpression: ['true'] } }] }, /CEL expressions are not supported/],
    [{ fieldMask: { paths: ['nosuch'] } }, /field mask: found "nosuch"/],
    [{ whitelist: Array.from({ length: 65 }, () => ({})) }, /found 65, at most 64/],
    [{ whitelist: [{ sourcePort: Array.from({ length: 1025 }, () => '1') }] }, /found 1025, at most 1024/],
  ];
  for (const [request, message] of refused) {
    const call = flowsOf(grpc, request);
    await t.rejects(call, message);
    t.equal(await codeOf(flowsOf(grpc, request)), 'InvalidArgument');
  }
  t.equal(
    await codeOf(flowsOf(grpc, { whitelist: [{ uuid: ['x'.repeat(100_000)] }] })),
    'ResourceExhausted',
    'a large request',
  );
  const late = createClient(Observer, grpc).getFlows({ follow: true }, { timeoutMs: 200 });
  t.equal(await codeOf(late[Symbol.asyncIterator]().next()), 'DeadlineExceeded');
});

t.test('a follower gets what comes, and its end frees what it held', async (t) => {
  const end = new AbortController();
  const stream = createClient(Observer, grpc)
    .getFlows({ follow: true, number: 1n }, { signal: end.signal })
    [Symbol.asyncIterator]();
  t.equal((await stream.next()).value?.responseTypes.case, 'flow');
  const next = stream.next();
  source.fill(1, 1000);
  const got = (await next).value;
  t.equal(got?.responseTypes.case === 'flow' && got.responseTypes.value.uuid, '1000');
  await waitFor('the call alone', () => api.counts.active === 1);
  end.abort();
  await stream.next().catch(() => undefined);
  await waitFor('the end of all calls', () => api.counts.active === 0);
});

t.test('status, nodes, namespaces, peers, health', async (t) => {
  const observer = createClient(Observer, grpc);
  const status = await observer.serverStatus({});
  t.match(status, { numFlows: 301n, maxFlows: 4095n, seenFlows: 301n, version: 'sluice 0.1.0', numConnectedNodes: 1 });
  t.equal(status.flowsRate.toFixed(1), '5.0', '301 in a minute');
  t.equal(status.uptimeNs, 301_000_000n);
  const { nodes } = await observer.getNodes({});
  t.match(nodes, [{ name: 'node-1', state: 1, tls: { enabled: false }, seenFlows: 301n }]);
  const { namespaces } = await observer.getNamespaces({});
  t.same(
    namespaces.map(({ cluster, namespace }) => `${cluster}/${namespace}`),
    ['default/far', 'default/shop'],
  );
  const [peer] = await firstOf((signal) => createClient(Peer, grpc).notify({}, { signal }), 1);
  t.match(peer, { name: 'node-1', type: 1, tls: undefined });
  const health = createClient(Health, grpc);
  for (const service of ['', 'hubble.server.Observer', 'observer.Observer', 'peer.Peer']) {
    t.equal((await health.check({ service })).status, 1, service);
  }
  t.equal(await codeOf(health.check({ service: 'nosuch' })), 'NotFound');
  t.match(await firstOf((signal) => health.watch({ service: 'nosuch' }, { signal }), 1), [{ status: 3 }]);
  t.match((await health.list({})).statuses, { 'observer.Observer': { status: 1 } });
  t.same(await firstOf((signal) => observer.getDebugEvents({}, { signal }), 1), []);
});

/** The first messages of a stream, which is then ended. */
async function firstOf<T>(open: (signal: AbortSignal) => AsyncIterable<T>, count: number): Promise<T[]> {
  const end = new AbortController();
  const got: T[] = [];
  for await (const one of open(end.signal)) if (got.push(one) >= count) break;
  end.abort();
  return got;
}

t.test('events of the agent', async (t) => {
  source.agentEvents.write({
    agent_event: { type: 'ENDPOINT_CREATED', endpoint_update: { id: '7', pod_name: 'web-0', namespace: 'shop' } },
    node_name: 'node-1',
    time: '2026-01-02T03:04:05Z',
  });
  for (const transport of [grpc, transports['connect']]) {
    const [event] = await firstOf(
      (signal) => createClient(Observer, transport).getAgentEvents({ number: 1n }, { signal }),
      1,
    );
    t.match(event, {
      nodeName: 'node-1',
      agentEvent: { type: 7, notification: { case: 'endpointUpdate', value: { id: 7n, podName: 'web-0' } } },
    });
  }
});

t.test('reflection, in both versions', async (t) => {
  for (const service of [ServerReflection, Alpha] as unknown as [typeof ServerReflection]) {
    const ask = async function* () {
      yield { messageRequest: { case: 'listServices', value: '' } } as const;
      yield { messageRequest: { case: 'fileContainingSymbol', value: 'observer.Observer.GetFlows' } } as const;
      yield { messageRequest: { case: 'fileByFilename', value: 'flow/flow.proto' } } as const;
      yield { messageRequest: { case: 'fileContainingSymbol', value: 'flow.DROPPED' } } as const;
      yield { messageRequest: { case: 'fileByFilename', value: 'nosuch.proto' } } as const;
      yield { messageRequest: { case: 'allExtensionNumbersOfType', value: 'flow.Flow' } } as const;
      yield {
        messageRequest: { case: 'fileContainingExtension', value: { containingType: 'flow.Flow', extensionNumber: 1 } },
      } as const;
      yield {};
    };
    const answers = await firstOf((signal) => createClient(service, grpc).serverReflectionInfo(ask(), { signal }), 9);
    const [services, ...files] = answers.map(({ messageResponse }) => messageResponse);
    const names = services?.case === 'listServicesResponse' && services.value.service.map(({ name }) => name);
    t.same(names, [
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'observer.Observer',
      'peer.Peer',
    ]);
    const filesOf = (answer: (typeof files)[number]) =>
      answer?.case === 'fileDescriptorResponse'
        ? answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name)
        : [String(answer?.case)];
    t.same(filesOf(files[0]).slice(0, 1), ['observer/observer.proto']);
    t.ok(
      filesOf(files[0]).includes('flow/flow.proto') && filesOf(files[0]).includes('google/protobuf/timestamp.proto'),
    );
    t.same(filesOf(files[1])[0], 'flow/flow.proto');
    t.same(filesOf(files[2])[0], 'flow/flow.proto');
    t.match(files[3], { case: 'errorResponse', value: { errorCode: 5 } });
    t.match(files[4], { case: 'allExtensionNumbersResponse', value: { baseTypeName: 'flow.Flow' } });
    t.match(files[5], { case: 'errorResponse', value: { errorCode: 5 } });
    t.match(files[6], { case: 'errorResponse', value: { errorCode: 3 } });
    t.equal(answers.length, 8);
  }
});

t.test('curl asks in JSON, with HTTP/1.1 and HTTP/2, on the port and the socket', async (t) => {
  const ask = async (method: string, body: string, ...options: string[]) => {
    const url = `${baseUrl}/observer.Observer/${method}`;
    const { stdout, stderr } = await run([
      'curl',
      '-sS',
      '-d',
      body,
      '-H',
      'content-type: application/json',
      ...options,
      url,
    ]);
    t.equal(stderr, '');
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  for (const options of [['--http1.1'], ['--http2-prior-knowledge'], ['--http1.1', '--unix-socket', path]]) {
    t.match(
      await ask('ServerStatus', '{}', ...options),
      { max_flows: '4095', version: 'sluice 0.1.0' },
      'names as in the protos',
    );
  }
  const stream = await run([
    'curl',
    '-sS',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code}',
    '-d',
    '{}',
    '-H',
    'content-type: application/json',
    `${baseUrl}/observer.Observer/GetFlows`,
  ]);
  t.equal(stream.stdout, '415', 'a stream needs the type of a stream');
  t.match(await ask('ServerStatus', '{"nosuch":1}'), { code: 'invalid_argument' });
  const preflight = await run([
    'curl',
    '-sS',
    '-i',
    '-X',
    'OPTIONS',
    '-H',
    'origin: http://x',
    `${baseUrl}/observer.Observer/ServerStatus`,
  ]);
  t.notMatch(preflight.stdout, /access-control/i, 'pages of other origins may not ask');
});

t.test('hostile clients end themselves and nothing else', async (t) => {
  const bytes = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket: Socket = connect(port, '127.0.0.1', () => socket.write(text));
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });
  t.match(await bytes('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'), /^HTTP\/1\.1 404/);
  t.match(
    await bytes('POST /observer.Observer/ServerStatus HTTP/1.0\r\nconnection: close\r\n\r\n'),
    /^HTTP\/1\.1 400/,
    'no authority',
  );
  t.match(
    await bytes('POST /observer.Observer/ServerStatus HTTP/1.1\r\nhost: [::\r\nconnection: close\r\n\r\n'),
    /^HTTP\/1\.1 400/,
    'no URL',
  );
  t.match(await bytes(`GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431/, 'a large head');
  t.match(await bytes('PRX * HTTP/2.0\r\n\r\nSM\r\n\r\n'), /^HTTP\/1\.1 400/);
  await bytes('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nno frames at all, but rubbish in their place');

  const flood = connect(port, '127.0.0.1');
  const session = connectHttp2(baseUrl, { createConnection: () => flood });
  session.on('error', () => undefined);
  const many = Array.from({ length: 300 }, () => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/observer.Observer/GetFlows',
      'content-type': 'application/grpc',
    });
    stream.on('error', () => undefined);
    stream.write(Buffer.from([0, 0, 0, 1, 0])); // and never the rest
    return stream;
  });
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  t.match(await createClient(Observer, grpc).serverStatus({}), { numConnectedNodes: 1 }, 'others are served');
  t.ok(api.counts.active <= 65, 'of one connection 64 at a time, and what was asked above');
  for (const stream of many.slice(0, 10)) stream.close();
  session.destroy();
  flood.destroy();
  await waitFor('the end of all calls', () => api.counts.active === 0);
  t.match(await createClient(Observer, grpc).serverStatus({}), { numConnectedNodes: 1 });
});

t.test('too many calls are refused, and told so', async (t) => {
  const ends: AbortController[] = [];
  const sessions = Array.from({ length: 5 }, () => createGrpcTransport({ baseUrl }));
  for (const transport of sessions) {
    for (let i = 0; i < 60; i++) {
      const end = new AbortController();
      ends.push(end);
      const calls = createClient(Peer, transport).notify({}, { signal: end.signal })[Symbol.asyncIterator]();
      if (ends.length < 257) t.equal((await calls.next()).value?.name, 'node-1');
      else {
        t.equal(await codeOf(calls.next()), 'ResourceExhausted');
        for (const one of ends) one.abort();
        await waitFor('the end of all calls', () => api.counts.active === 0);
        t.equal(api.counts.refused, 1);
        return;
      }
    }
  }
});
