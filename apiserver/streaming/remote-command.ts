/**
 * exec and attach: a command's stdin, stdout, stderr, the size of its terminal and how it ended, over SPDY or a WebSocket.
 *
 *   SPDY (v4..v1.channel.k8s.io)           the client opens a stream each, named by its header streamType
 *   WebSocket (v5, v4, base64.v4, ...)     channels 0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize
 *
 * The client says in the query which of them it wants. When the command has ended, what it wrote is sent to the end, then how it
 * ended, then the connection is closed. When the client goes first, `gone` aborts.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import { endText, type CommandEnd } from './command-status.ts';
import { SpdyConnection } from './spdy-connection.ts';
import { endAll } from './stream-end.ts';
import { readSizes, type TerminalSize } from './terminal-size.ts';
import { isWebSocket, spdyProtocol, takeSpdy, takeWebSocket, UpgradeRefused, webSocketProtocol } from './upgrade.ts';
import { WebSocketChannels } from './web-socket-channels.ts';

/** How long a client may take to open the streams that it asked for. */
const OPEN_MS = 30_000;
/** How long a command with a terminal waits for its size, so that it begins with the right one. */
const FIRST_SIZE_MS = 250;

const SPDY_PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];
const WEB_SOCKET_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
  '',
];
const CHANNELS = ['stdin', 'stdout', 'stderr', 'error', 'resize'] as const;
type ChannelName = (typeof CHANNELS)[number];

/** What the client wants of a command. */
export interface CommandWish {
  readonly stdin: boolean;
  readonly stdout: boolean;
  /** Never with a terminal, which has no place for it. */
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** What a command is connected with. */
export interface CommandStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Calls back with the last size of the terminal, when there is one already, and each that comes. */
  onResize: (listener: (size: TerminalSize) => void) => void;
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
}

/** Runs the command; its streams are ended by who called it. */
export type RunCommand = (streams: CommandStreams) => Promise<CommandEnd>;

/** Reads the query. @throws UpgradeRefused when it wants no stream at all */
export function commandWish(query: URLSearchParams): CommandWish {
  const isSet = (name: string) => query.has(name) && !['false', '0'].includes((query.get(name) ?? '').toLowerCase());
  const tty = isSet('tty');
  const wish = { stdin: isSet('stdin'), stdout: isSet('stdout'), stderr: isSet('stderr') && !tty, tty };
  if (!wish.stdin && !wish.stdout && !wish.stderr)
    throw new UpgradeRefused(400, 'you must specify at least 1 of stdin, stdout, stderr');
  return wish;
}

/** Settles when the connection is over. @throws UpgradeRefused when there never was one */
export async function serveCommand(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { wish, run }: { wish: CommandWish; run: RunCommand },
): Promise<void> {
  const connection = isWebSocket(request)
    ? await overWebSocket(request, socket, head, wish)
    : await overSpdy(request, socket, head, wish);
  const { streams, isStatus } = connection;
  const gone = new AbortController();
  void connection.closed.then(() => gone.abort());
  const sizes = sizesOf(streams.resize);
  for (const stream of [streams.stdout, streams.stderr, streams.error]) stream?.resume();
  if (wish.tty) await Promise.race([sizes.first, connection.closed]);
  const end = await run({
    stdin: streams.stdin,
    stdout: streams.stdout,
    stderr: streams.stderr,
    onResize: sizes.onResize,
    gone: gone.signal,
  }).catch((error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }));
  await endAll([streams.stdout, streams.stderr]);
  streams.error.write(endText(end, isStatus));
  await endAll([streams.error]);
  await connection.close();
}

interface Connection {
  readonly streams: Readonly<Partial<Record<ChannelName, Duplex>> & { error: Duplex }>;
  readonly isStatus: boolean;
  readonly closed: Promise<void>;
  close: () => Promise<void>;
}

function wantedStreams({ tty, ...wish }: CommandWish, hasResize: boolean): Set<ChannelName> {
  const wanted = new Set<ChannelName>(['error']);
  for (const name of ['stdin', 'stdout', 'stderr'] as const) if (wish[name]) wanted.add(name);
  if (tty && hasResize) wanted.add('resize');
  return wanted;
}

/** @throws UpgradeRefused */
async function overSpdy(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  wish: CommandWish,
): Promise<Connection> {
  const protocol = spdyProtocol(request, SPDY_PROTOCOLS);
  const missing = wantedStreams(wish, /^v[34]/.test(protocol));
  const streams: Partial<Record<ChannelName, Duplex>> = {};
  let opened = () => {};
  const complete = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const spdy = new SpdyConnection(takeSpdy(socket, head, protocol), {
    maxStreams: CHANNELS.length,
    accepts: (headers) => missing.has(headers.get('streamtype') as ChannelName),
    onStream: (stream) => {
      const name = stream.headers.get('streamtype') as ChannelName;
      missing.delete(name);
      streams[name] = stream;
      if (missing.size === 0) opened();
    },
  });
  const timer = setTimeout(() => spdy.destroy(), OPEN_MS);
  await Promise.race([complete, spdy.closed]);
  clearTimeout(timer);
  // Without all of its streams the client is gone, and nothing may begin.
  if (missing.size > 0) throw new UpgradeRefused(408, 'timed out waiting for client to create streams');
  return {
    streams: streams as Connection['streams'],
    isStatus: protocol.startsWith('v4'),
    closed: spdy.closed,
    close: () => spdy.close(),
  };
}

/** @throws UpgradeRefused */
async function overWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  wish: CommandWish,
): Promise<Connection> {
  const protocol = webSocketProtocol(request, WEB_SOCKET_PROTOCOLS);
  const webSocket = new WebSocketChannels(await takeWebSocket(request, socket, head, protocol), CHANNELS.length, {
    isBase64: protocol.includes('base64'),
    hasCloseSignal: protocol.startsWith('v5'),
  });
  const wanted = wantedStreams(wish, true);
  const streams: Partial<Record<ChannelName, Duplex>> = {};
  CHANNELS.forEach((name, i) => {
    if (wanted.has(name)) streams[name] = webSocket.channels[i];
    else webSocket.channels[i].resume(); // what nobody wants is thrown away
  });
  webSocket.greet(CHANNELS.findIndex((name) => name !== 'stdin' && wanted.has(name)));
  return {
    streams: streams as Connection['streams'],
    isStatus: /^v[45]/.test(protocol),
    closed: webSocket.closed,
    close: () => webSocket.close(),
  };
}

/** The sizes that come on a stream; `first` settles with the first, or after a moment. */
function sizesOf(stream: Duplex | undefined) {
  let last: TerminalSize | undefined;
  let listener: ((size: TerminalSize) => void) | undefined;
  const first = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, stream === undefined ? 0 : FIRST_SIZE_MS);
    if (stream === undefined) return;
    readSizes(stream, (size) => {
      last = size;
      listener?.(size);
      clearTimeout(timer);
      resolve();
    });
  });
  const onResize = (heard: (size: TerminalSize) => void) => {
    listener = heard;
    if (last !== undefined) heard(last);
  };
  return { first, onResize };
}
