/** A name server that a test plays: UDP and TCP on one port of loopback, each query answered with the messages that the test says. */
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { DnsMessage } from '../wire/dns/message.ts';
import { DomainName } from '../wire/dns/name.ts';

export interface UpstreamQuery {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly hasOpt: boolean;
  readonly isStream: boolean;
  readonly fromPort: number;
}

export interface Upstream {
  readonly port: number;
  readonly asked: UpstreamQuery[];
  /** Sends a datagram from its port. */
  send(bytes: Uint8Array, port: number): void;
  close(): Promise<void>;
}

type Answer = (query: UpstreamQuery) => readonly Uint8Array[] | undefined;

export async function startUpstream(
  test: { teardown(end: () => unknown): unknown },
  answer: Answer,
): Promise<Upstream> {
  const asked: UpstreamQuery[] = [];
  const datagrams = createSocket('udp4');
  const streams = new Set<Socket>();
  const answersTo = (bytes: Uint8Array, isStream: boolean, fromPort: number) => {
    const query = readQuery(bytes, isStream, fromPort);
    asked.push(query);
    return answer(query) ?? [];
  };
  datagrams.on('message', (bytes, { port }) => {
    for (const reply of answersTo(bytes, false, port)) datagrams.send(reply, port, '127.0.0.1');
  });
  const listener = createServer((socket) => {
    streams.add(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const reply of answersTo(bytes.subarray(2), true, socket.remotePort ?? 0)) {
        const head = Buffer.alloc(2);
        head.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([head, reply]));
      }
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as { port: number };
  await new Promise<void>((resolve) => datagrams.bind(port, '127.0.0.1', resolve));
  let closing: Promise<void> | undefined;
  const close = () =>
    (closing ??= (async () => {
      for (const socket of streams) socket.destroy();
      await new Promise<void>((resolve) => datagrams.close(() => resolve()));
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    })());
  test.teardown(close);
  return { port, asked, send: (bytes, to) => datagrams.send(bytes, to, '127.0.0.1'), close };
}

function readQuery(bytes: Uint8Array, isStream: boolean, fromPort: number): UpstreamQuery {
  const message = new DnsMessage();
  const name = new DomainName();
  if (message.parse(bytes, 0, bytes.length) !== 0 || !name.load(bytes, 0, bytes.length, message.questionAt))
    throw new Error('the upstream of a test was asked what is no question');
  const text = name.text().replace(/\.$/, '');
  return { id: message.id, name: text, type: message.type, hasOpt: message.hasOpt, isStream, fromPort };
}
