/** All services of the API as handlers, one for each method, for whoever has the sockets. */
import { createConnectRouter, type Interceptor } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { JSON_OPTIONS } from '../message/envelope.ts';
import * as health from '../proto/grpc/health/v1/health_pb.ts';
import * as reflectionV1 from '../proto/grpc/reflection/v1/reflection_pb.ts';
import * as reflectionV1Alpha from '../proto/grpc/reflection/v1alpha/reflection_pb.ts';
import * as observer from '../proto/observer/observer_pb.ts';
import * as peer from '../proto/peer/peer_pb.ts';
import { withBatches } from './batches.ts';
import { HealthService } from './health.ts';
import { ObserverService } from './observer.ts';
import { PeerService } from './peer.ts';
import { Reflection } from './reflection.ts';
import type { ObserverSource } from './source.ts';
import { Turns } from './turns.ts';

/** Of a request; filters are limited further. Answers are as long as what they tell. */
const MAX_REQUEST_BYTES = 64 * 1024;

const FILES = [
  observer.file_observer_observer,
  peer.file_peer_peer,
  health.file_grpc_health_v1_health,
  reflectionV1.file_grpc_reflection_v1_reflection,
  reflectionV1Alpha.file_grpc_reflection_v1alpha_reflection,
];

export interface HandlerOptions {
  /** Ends every call, with its reason as the error. */
  readonly shutdown: AbortSignal;
  /** Around every call. */
  readonly interceptors: Interceptor[];
}

/** Handlers by path (`/observer.Observer/GetFlows`), each for gRPC, gRPC-Web and Connect. */
export function serviceHandlers(
  source: ObserverSource,
  options: HandlerOptions,
): ReadonlyMap<string, UniversalHandler> {
  const router = createConnectRouter({
    acceptCompression: [], // see batches.ts
    readMaxBytes: MAX_REQUEST_BYTES,
    jsonOptions: { ...JSON_OPTIONS, ignoreUnknownFields: false },
    shutdownSignal: options.shutdown,
    interceptors: options.interceptors,
  });
  const reflection = new Reflection(FILES);
  const services = FILES.flatMap((file) => file.services.map(({ typeName }) => typeName));
  router
    .service(observer.Observer, new ObserverService(source, new Turns()))
    .service(peer.Peer, new PeerService(source))
    .service(health.Health, new HealthService(services))
    .service(reflectionV1.ServerReflection, { serverReflectionInfo: (requests) => reflection.answers(requests) })
    .service(reflectionV1Alpha.ServerReflection, { serverReflectionInfo: (requests) => reflection.answers(requests) });
  const isBatched = ({ method }: UniversalHandler) =>
    method.parent === observer.Observer && method.methodKind === 'server_streaming';
  return new Map(router.handlers.map((one) => [one.requestPath, isBatched(one) ? withBatches(one) : one]));
}
