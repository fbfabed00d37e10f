/** One request to a container, made from inside its pod's network namespace, as a program beside it would make it: no policy is asked. */
import { request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { connectStream } from '../../dataplane/native/inet.ts';

const BODY_BYTES = 10 * 1024;
const LATE = 'context deadline exceeded';

/** Where to. */
export interface Target {
  readonly netns: string;
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
}

interface HttpRequest {
  readonly path: string;
  readonly isTls: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws Error when nobody listens, or not in time */
export async function openConnection({ netns, address, port, timeoutMs }: Target): Promise<Socket> {
  const fd = await connectStream(address, port, { netns, timeoutMs });
  const socket = new Socket({ fd, readable: true, writable: true });
  socket.on('error', () => {}); // who waits for an answer is told by its own
  return socket;
}

/** @returns the status @throws Error when there is no answer in time */
export async function askHttp(target: Target, { path, isTls, headers }: HttpRequest): Promise<number> {
  const socket = await openConnection(target);
  const stream: Duplex = isTls ? connectTls({ socket, rejectUnauthorized: false }) : socket;
  const host = `${target.address.includes(':') ? `[${target.address}]` : target.address}:${target.port}`;
  const defaults = { 'User-Agent': 'kube-probe/1.37', Accept: '*/*', Host: host, Connection: 'close' };
  try {
    return await within(target.timeoutMs, (resolve, reject) => {
      stream.on('error', reject);
      const asked = httpRequest({ path, headers: { ...defaults, ...headers }, createConnection: () => stream });
      asked.on('error', reject).on('response', (response) => {
        let length = 0;
        response.on('error', reject).on('end', () => resolve(response.statusCode ?? 0));
        response.on('data', (part: Buffer) => {
          length += part.length;
          if (length > BODY_BYTES) resolve(response.statusCode ?? 0);
        });
      });
      asked.end();
    });
  } finally {
    stream.destroy();
    socket.destroy();
  }
}

const SERVING = 1;

/** Asks grpc.health.v1.Health/Check. @returns whether it serves @throws Error when there is no answer */
export async function askGrpc(target: Target, service: string): Promise<boolean> {
  const socket = await openConnection(target);
  const session = connectHttp2('http://localhost', { createConnection: () => socket });
  try {
    return await within(target.timeoutMs, (resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      let answer: Buffer = Buffer.alloc(0);
      stream.on('error', reject).on('end', () => resolve(isServing(answer)));
      stream.on('data', (part: Buffer) => {
        if (answer.length < BODY_BYTES) answer = Buffer.concat([answer, part]);
      });
      stream.end(healthRequest(service));
    });
  } finally {
    session.destroy();
    socket.destroy();
  }
}

/** @throws Error when it takes too long */
function within<T>(
  ms: number,
  begin: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(LATE)), ms);
    const done =
      <V>(end: (value: V) => void) =>
      (value: V): void => {
        clearTimeout(timer);
        end(value);
      };
    begin(done(resolve), done(reject));
  });
}

/** A message of one field, the name of the service, in a frame of gRPC's. */
function healthRequest(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Field 1 of the answer is its status. */
function isServing(answer: Buffer): boolean {
  return answer.length >= 7 && answer[5] === 0x08 && answer[6] === SERVING;
}
