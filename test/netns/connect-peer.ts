/**
 * Connect's own server and clients over HTTP/1 (connect-node), run inside pods: the server has health checks and an observer; the client
 * asks for both, in Connect and in gRPC-Web, one answer and several, and prints what came of it.
 * Usage: node connect-peer.js server PORT | client ADDRESS:PORT
 */
import { createServer } from 'node:http';
import { Code, ConnectError, createClient, type ConnectRouter, type Transport } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { Health, HealthCheckResponse_ServingStatus } from '../../hubble/proto/grpc/health/v1/health_pb.ts';
import { Observer } from '../../hubble/proto/observer/observer_pb.ts';

const { SERVING } = HealthCheckResponse_ServingStatus;

function routes(router: ConnectRouter): void {
  router.service(Health, {
    check: () => ({ status: SERVING }),
    async *watch() {
      for (let i = 0; i < 3; i++) yield await Promise.resolve({ status: SERVING });
    },
  });
  router.service(Observer, { serverStatus: () => ({ numFlows: 7n }) });
}

async function said(call: () => Promise<unknown>): Promise<string> {
  try {
    return String(await call());
  } catch (error) {
    return Code[ConnectError.from(error).code];
  }
}

async function count(answers: AsyncIterable<unknown>): Promise<number> {
  let seen = 0;
  for await (const answer of answers) seen += answer === undefined ? 0 : 1;
  return seen;
}

async function ask(transport: Transport): Promise<string> {
  const health = createClient(Health, transport);
  const observer = createClient(Observer, transport);
  return [
    await said(async () => (await health.check({})).status === SERVING),
    await said(() => count(health.watch({}))),
    await said(async () => (await observer.serverStatus({})).numFlows),
    await said(() => count(observer.getFlows({}))),
    await said(async () => (await health.check({})).status === SERVING),
  ].join(' ');
}

const [, , what, where] = process.argv;
if (what === 'server') createServer(connectNodeAdapter({ routes })).listen(Number(where), '::');
else {
  const options = { baseUrl: `http://${where}`, httpVersion: '1.1' } as const;
  process.stdout.write(`connect ${await ask(createConnectTransport(options))}\n`);
  process.stdout.write(`grpc-web ${await ask(createGrpcWebTransport(options))}\n`);
}
