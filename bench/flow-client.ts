/**
 * A gRPC client of GetFlows that counts and does nothing else, so that what it costs is as little as a client can: it walks over the
 * top-level fields of each message. As a program (`node flow-client.js SOCKET`) it follows, and answers each message of its parent with its counts.
 */
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { fromBinary } from '@bufbuild/protobuf';
import { GetFlowsRequestSchema, GetFlowsResponseSchema } from '../hubble/proto/observer/observer_pb.ts';

const WINDOW_BYTES = 4 << 20;
const PREFIX_BYTES = 5;
const FLOW = 1;
const LOST_EVENTS = 3;

export interface FlowCounts {
  readonly flows: number;
  /** As the server has told. */
  readonly lost: number;
  readonly bytes: number;
}

/** Counts the messages of one stream. */
class Counter {
  flows = 0;
  lost = 0;
  bytes = 0;
  #rest: Uint8Array = new Uint8Array(0);

  take(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (at + PREFIX_BYTES <= bytes.length) {
      const end = at + PREFIX_BYTES + view.getUint32(at + 1);
      if (end > bytes.length) break;
      this.#count(bytes, at + PREFIX_BYTES, end);
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  #count(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      let [key, size] = [0, 0];
      [key, at] = varint(bytes, at);
      [size, at] = varint(bytes, at);
      at += size; // all fields of this message are messages and texts
      if (key >>> 3 === FLOW) this.flows++;
      if (key >>> 3 === LOST_EVENTS) this.#countLost(bytes.subarray(start, end));
    }
  }

  #countLost(message: Uint8Array): void {
    const { responseTypes } = fromBinary(GetFlowsResponseSchema, message);
    if (responseTypes.case === 'lostEvents') this.lost += Number(responseTypes.value.numEventsLost);
  }
}

function varint(bytes: Uint8Array, from: number): [value: number, end: number] {
  let value = 0;
  let at = from;
  for (let shift = 0; ; shift += 7) {
    value |= (bytes[at] & 0x7f) << shift;
    if (bytes[at++] < 0x80) return [value, at];
  }
}

export class FlowClient {
  readonly #session: ClientHttp2Session;

  /** @param socket path of the observatory's */
  constructor(socket: string) {
    this.#session = connectHttp2('http://localhost', {
      createConnection: () => connect(socket),
      settings: { initialWindowSize: WINDOW_BYTES },
    });
    this.#session.on('connect', () => this.#session.setLocalWindowSize(WINDOW_BYTES));
    this.#session.on('error', () => {}); // the stream says so too
  }

  /** @returns the counts as they grow, and a promise of the end */
  ask(request: MessageInitShape<typeof GetFlowsRequestSchema>): {
    readonly counts: FlowCounts;
    readonly end: Promise<void>;
  } {
    const message = toBinary(GetFlowsRequestSchema, create(GetFlowsRequestSchema, request));
    const body = Buffer.concat([Buffer.alloc(PREFIX_BYTES), message]);
    body.writeUInt32BE(message.length, 1);
    const counts = new Counter();
    const path = '/observer.Observer/GetFlows';
    const stream = this.#session.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    });
    const end = new Promise<void>((resolve, reject) => {
      let status: unknown = 'no trailers';
      stream.on('trailers', (trailers) => (status = trailers['grpc-status']));
      stream.on('data', (chunk: Uint8Array) => counts.take(chunk));
      stream.on('error', reject);
      stream.on('close', () => (status === '0' ? resolve() : reject(new Error(`${path}: status ${String(status)}`))));
    });
    stream.end(body);
    return { counts, end };
  }

  close(): void {
    this.#session.destroy();
  }
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  const { counts, end } = new FlowClient(process.argv[2]).ask({ follow: true });
  end.catch(() => process.exit(1));
  process.on('message', () => process.send?.({ flows: counts.flows, lost: counts.lost, bytes: counts.bytes }));
  process.on('disconnect', () => process.exit(0));
}
