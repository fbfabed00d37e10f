/** Flows of another machine, or of another agent: whoever answers as Hubble's server does, by gRPC. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import type { ObserveFilters } from '../../hubble/filter/observe-filter.ts';
import type { Envelope } from '../../hubble/flow.ts';
import { envelopeOf } from '../../hubble/message/envelope.ts';
import { FlowFilterSchema } from '../../hubble/proto/flow/flow_pb.ts';
import { Observer } from '../../hubble/proto/observer/observer_pb.ts';
import { EXIT, Failure } from '../terminal/failure.ts';

/** As hubble's flags. */
export interface ServerFlags {
  /** `host:port`, `tls://host:port` or `unix:///path`. */
  readonly server?: string;
  readonly tls?: boolean;
  readonly tlsServerName?: string;
  readonly tlsCaCertFiles?: readonly string[];
  readonly tlsClientCertFile?: string;
  readonly tlsClientKeyFile?: string;
}

export interface ServerRequest {
  readonly filters: ObserveFilters;
  /** Infinity: all. */
  readonly number: number;
  readonly isFirst: boolean;
  readonly isFollowing: boolean;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
}

const ALL = 2n ** 64n - 1n;

/** @throws Failure when there is no such server, or it refuses the request */
export async function* flowsOfServer(
  server: string,
  flags: ServerFlags,
  request: ServerRequest,
  signal: AbortSignal,
): AsyncGenerator<Envelope> {
  const { filters, number, isFirst, isFollowing, sinceMs, untilMs } = request;
  const message = {
    number: number === Number.POSITIVE_INFINITY ? (sinceMs === undefined ? ALL : 0n) : BigInt(number),
    first: isFirst,
    follow: isFollowing,
    whitelist: filters.allow.map(messageOf),
    blacklist: filters.deny.map(messageOf),
    ...(sinceMs !== undefined && { since: timestampFromMs(sinceMs) }),
    ...(untilMs !== undefined && { until: timestampFromMs(untilMs) }),
  };
  if (message.number === 0n && sinceMs === undefined && !isFollowing) return; // to the server 0 is all
  const client = createClient(Observer, transportOf(server, flags));
  try {
    for await (const response of client.getFlows(message, { signal })) yield envelopeOf(response);
  } catch (error) {
    if (signal.aborted) return;
    const { code, rawMessage } = ConnectError.from(error);
    throw new Failure(`observe ${server}: ${Code[code]}: ${rawMessage}`);
  }
}

function messageOf(filter: FlowFilter) {
  try {
    return fromJson(FlowFilterSchema, filter as JsonValue);
  } catch (error) {
    throw new Failure(`a filter that Hubble's API does not have: ${(error as Error).message}`, EXIT.USAGE);
  }
}

function transportOf(server: string, flags: ServerFlags): Transport {
  const [, unixPath] = /^unix:(?:\/\/)?(\/[^/].*)$/.exec(server) ?? [];
  if (unixPath !== undefined) {
    return createGrpcTransport({
      baseUrl: 'http://localhost',
      nodeOptions: { createConnection: () => connect(unixPath) },
    });
  }
  const isTls = flags.tls === true || server.startsWith('tls://');
  const address = server.replace(/^tls:\/\//, '');
  if (!URL.canParse(`http://${address}`) || !/^(?:[^:[\]/@?#]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/.test(address)) {
    throw new Failure(`--server: found ${server}, wanted host:port, tls://host:port or unix:///path`, EXIT.USAGE);
  }
  if (!isTls) return createGrpcTransport({ baseUrl: `http://${address}` });
  return createGrpcTransport({ baseUrl: `https://${address}`, nodeOptions: tlsOptions(flags) });
}

function tlsOptions({ tlsServerName, tlsCaCertFiles = [], tlsClientCertFile, tlsClientKeyFile }: ServerFlags) {
  return {
    ...(tlsServerName !== undefined && { servername: tlsServerName }),
    ...(tlsCaCertFiles.length > 0 && { ca: tlsCaCertFiles.map(readFile) }),
    ...(tlsClientCertFile !== undefined && { cert: readFile(tlsClientCertFile) }),
    ...(tlsClientKeyFile !== undefined && { key: readFile(tlsClientKeyFile) }),
  };
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Failure(`read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}
