/** exec's streams over both protocols, from an HTTP request to how the command ended. */
import t from 'tap';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { SpdyClient, textOf, type ClientStream } from '../../test/spdy-client.ts';
import { commandWish, serveCommand, type RunCommand } from './remote-command.ts';
import { refuse, UpgradeRefused } from './upgrade.ts';

/** Answers each upgrade by that command. @returns the port */
async function server(t: Pick<typeof import('tap').default, 'teardown'>, run: RunCommand): Promise<number> {
  const listener = createServer();
  listener.on('upgrade', (request, socket, head) => {
    const serve = async () => {
      const wish = commandWish(new URL(request.url ?? '', 'http://x').searchParams);
      await serveCommand(request, socket, head, { wish, run });
    };
    serve().catch((error: unknown) => {
      refuse(socket, error instanceof UpgradeRefused ? error : { code: 500, message: String(error) });
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.teardown(() => listener.close());
  return (listener.address() as AddressInfo).port;
}

/** Says back in capitals what it is told, and ends with that code. */
const shout =
  (exitCode: number): RunCommand =>
  async ({ stdin, stdout, stderr }) => {
    for await (const bytes of stdin ?? []) stdout?.write(String(bytes).toUpperCase());
    stderr?.write('done');
    return { exitCode };
  };

async function overSpdy(
  port: number,
  { query, protocols, input = '' }: { query: string; protocols: string[]; input?: string },
) {
  const client = await SpdyClient.dial(port, `/exec?${query}`, protocols);
  if (typeof client === 'string') throw new Error(client);
  const streams: Record<string, ClientStream> = {};
  for (const streamtype of ['error', 'stdin', 'stdout', 'stderr', 'resize']) {
    if (streamtype !== 'error' && !query.includes(streamtype === 'resize' ? 'tty=' : `${streamtype}=1`)) continue;
    streams[streamtype] = client.open({ streamtype });
    await client.until(() => streams[streamtype].isReplied);
  }
  if (streams['stdin']) client.send(streams['stdin'], Buffer.from(input), true);
  return { client, streams };
}

const failed = (code: number) => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
});

t.test('v4 over SPDY: bytes of each stream, then the Status', async (t) => {
  const port = await server(t, shout(28));
  const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io'];
  const { client, streams } = await overSpdy(port, {
    query: 'stdin=1&stdout=1&stderr=1',
    protocols,
    input: 'hello',
  });
  await client.until(() => client.goAway !== undefined);
  t.equal(textOf(streams['stdout']), 'HELLO');
  t.equal(textOf(streams['stderr']), 'done');
  t.match(JSON.parse(textOf(streams['error'])), failed(28));
  t.ok(streams['stdout'].isEnded && streams['error'].isEnded);
});

t.test('v1 to v3 over SPDY: text, and nothing for success', async (t) => {
  for (const protocol of ['v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io']) {
    for (const [code, text] of [
      [0, ''],
      [3, 'command terminated with non-zero exit code: exit status 3'],
    ] as const) {
      const { client, streams } = await overSpdy(await server(t, shout(code)), {
        query: 'stdout=1',
        protocols: [protocol],
      });
      await client.until(() => client.goAway !== undefined);
      t.equal(textOf(streams['error']), text, protocol);
    }
  }
});

t.test('a command that cannot run is an internal error', async (t) => {
  const port = await server(t, () => Promise.reject(new Error('no such thing')));
  const { client, streams } = await overSpdy(port, { query: 'stdout=1', protocols: ['v4.channel.k8s.io'] });
  await client.until(() => client.goAway !== undefined);
  t.match(JSON.parse(textOf(streams['error'])), {
    reason: 'InternalError',
    code: 500,
    message: 'Internal error occurred: no such thing',
  });
});

t.test('a terminal begins with its size and hears of others; it has no stderr', async (t) => {
  const sizes: string[] = [];
  let hasStderr = true;
  let heard = () => {};
  const second = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const port = await server(t, async ({ onResize, stderr }) => {
    hasStderr = stderr !== undefined;
    onResize(({ columns, rows }) => sizes.push(`${columns}x${rows}`) === 2 && heard());
    await second;
    return { exitCode: 0 };
  });
  const { client, streams } = await overSpdy(port, {
    query: 'stdout=1&stderr=true&tty=true',
    protocols: ['v4.channel.k8s.io'],
  });
  client.send(streams['resize'], Buffer.from('{"Width":80,"Hei'));
  client.send(streams['resize'], Buffer.from('ght":24}\n'));
  while (sizes.length === 0) await new Promise(setImmediate);
  client.send(streams['resize'], Buffer.from('{"Width":-1,"Height":1}garbage{"Width":132,"Height":43}'));
  await client.until(() => client.goAway !== undefined);
  t.strictSame(sizes, ['80x24', '132x43']);
  t.notOk(hasStderr);
});

t.test('gone aborts when the client goes', async (t) => {
  let isAborted = false;
  const port = await server(t, async ({ gone }) => {
    await once(gone, 'abort');
    isAborted = true;
    return { exitCode: 0 };
  });
  const { client } = await overSpdy(port, { query: 'stdout=1', protocols: ['v4.channel.k8s.io'] });
  client.socket.destroy();
  while (!isAborted) await new Promise(setImmediate);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/exec?stdout=1`, 'v5.channel.k8s.io');
  await once(socket, 'message');
  isAborted = false;
  socket.terminate();
  while (!isAborted) await new Promise(setImmediate);
  t.pass('both times');
});

for (const { name, upgrade, path = '/exec?stdout=1', code, text } of [
  {
    name: 'no stream at all',
    upgrade: 'SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io',
    path: '/exec?stdin=false&tty=1&stderr=1',
    code: 400,
    text: 'you must specify at least 1 of stdin, stdout, stderr',
  },
  {
    name: 'another protocol',
    upgrade: 'h2c',
    code: 400,
    text: 'unable to upgrade: wanted SPDY/3.1 or a WebSocket in the Upgrade header',
  },
  {
    name: 'SPDY without a version of streams',
    upgrade: 'SPDY/3.1',
    code: 400,
    text: 'unable to upgrade: no X-Stream-Protocol-Version header',
  },
  {
    name: 'SPDY with another version',
    upgrade: 'SPDY/3.1\r\nX-Stream-Protocol-Version: v9',
    code: 403,
    text: 'unable to negotiate protocol: client supports ["v9"]',
  },
  {
    name: 'a WebSocket with another protocol',
    upgrade: 'websocket\r\nSec-WebSocket-Protocol: v9',
    code: 400,
    text: 'requested protocol(s) are not supported: ["v9"]',
  },
  {
    name: 'a WebSocket without a key',
    upgrade: 'websocket',
    code: 400,
    text: 'Missing or invalid Sec-WebSocket-Key header',
  },
]) {
  t.test(`${name} is refused with ${code}`, async (t) => {
    const port = await server(t, shout(0));
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`);
    const answer = Buffer.concat(await socket.toArray()).toString();
    t.match(answer, new RegExp(`^HTTP/1.1 ${code} `));
    t.ok(answer.includes(text), answer);
  });
}

interface Conversation {
  readonly messages: { channel: number; text: string }[];
  readonly code: number;
}

async function overWebSocket(
  port: number,
  protocols: string[],
  send: (socket: WebSocket) => void,
): Promise<Conversation> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/exec?stdin=1&stdout=1`, protocols);
  const isBase64 = protocols[0]?.includes('base64');
  const messages: Conversation['messages'] = [];
  socket.on('message', (message: Buffer) => {
    const text = message.toString('latin1', 1);
    messages.push({
      channel: isBase64 ? message[0] - 48 : message[0],
      text: isBase64 ? Buffer.from(text, 'base64').toString() : text,
    });
  });
  await once(socket, 'open');
  t.equal(socket.protocol, protocols[0] ?? '');
  send(socket);
  const [code] = (await once(socket, 'close')) as [number];
  return { messages, code };
}

t.test('v5 over a WebSocket: the client ends its stdin, the server says how it ended, then closes', async (t) => {
  const port = await server(t, shout(7));
  const { messages, code } = await overWebSocket(port, ['v5.channel.k8s.io'], (socket) => {
    socket.send(Buffer.from('\0hello'));
    socket.send(Buffer.from('\x09nobody reads this'));
    socket.send(Buffer.from('\x02nor this'));
    socket.send(Buffer.from([255, 0]));
    socket.send(Buffer.from('\0too late'));
  });
  t.equal(code, 1000);
  t.strictSame(messages[0], { channel: 1, text: '' }, 'it is there');
  t.strictSame(messages[1], { channel: 1, text: 'HELLO' });
  t.equal(messages[2].channel, 3);
  t.match(JSON.parse(messages[2].text), failed(7));
});

t.test('base64 and binary of v4, v1 and of no protocol at all', async (t) => {
  const echo: RunCommand = async ({ stdin, stdout }) => {
    const [bytes] = (await once(stdin as NodeJS.ReadableStream, 'data')) as [Buffer];
    stdout?.write(bytes);
    return { exitCode: 1 };
  };
  for (const protocol of [
    'v4.channel.k8s.io',
    'v4.base64.channel.k8s.io',
    'channel.k8s.io',
    'base64.channel.k8s.io',
    '',
  ]) {
    const isBase64 = protocol.includes('base64');
    const { messages } = await overWebSocket(await server(t, echo), protocol === '' ? [] : [protocol], (socket) =>
      socket.send(isBase64 ? `0${Buffer.from('hi').toString('base64')}` : Buffer.from('\0hi')),
    );
    t.strictSame(messages[1], { channel: 1, text: 'hi' }, protocol);
    t.equal(messages[2].text.startsWith('{'), protocol.startsWith('v4'), protocol);
  }
});

t.test(
  'a WebSocket: what the command does not read stays with the client; a message that is too long ends it',
  async (t) => {
    let go = () => {};
    const signal = new Promise<void>((resolve) => {
      go = resolve;
    });
    let received = 0;
    let kept = 0;
    const port = await server(t, async ({ stdin }) => {
      await signal;
      kept = stdin?.readableLength ?? 0;
      for await (const bytes of stdin ?? []) received += (bytes as Buffer).length;
      return { exitCode: 0 };
    });
    const sent = 16 * 1024 * 1024;
    await overWebSocket(port, ['v5.channel.k8s.io'], (socket) => {
      for (let bytes = 0; bytes < sent; bytes += 32768) socket.send(Buffer.alloc(32769));
      socket.send(Buffer.from([255, 0]));
      const look = setInterval(() => {
        if (socket.bufferedAmount < sent / 2 && socket.bufferedAmount > 0) return;
        clearInterval(look);
        go();
      }, 20);
    });
    t.ok(kept <= 256 * 1024, `${kept} bytes were kept`);
    t.equal(received, sent);
    const { code } = await overWebSocket(
      await server(t, async ({ gone }) => {
        await once(gone, 'abort');
        return { exitCode: 0 };
      }),
      ['v5.channel.k8s.io'],
      (socket) => socket.send(Buffer.alloc(5 * 1024 * 1024)),
    );
    t.equal(code, 1009);
  },
);
