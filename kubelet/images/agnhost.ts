/**
 * What Kubernetes' test image `agnhost` does, as far as tests of networks ask for it:
 *
 *     netexec [--http-port 8080] [--udp-port 8081]      HTTP: / /hostname /clientip /echo?msg= /healthz /shell?shell= /dial?...; UDP: hostname, echo TEXT, clientip
 *     serve-hostname [--port 9376] [--tcp] [--udp] [--http=false]
 *     porter                                            a server for each SERVE_PORT_n, SERVE_TCP_PORT_n, SERVE_UDP_PORT_n of the environment
 *     connect HOST:PORT [--timeout 1s] [--protocol tcp] TIMEOUT, REFUSED, DNS or OTHER, and code 1
 *     pause
 */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer as createHttpServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer, isIPv6 } from 'node:net';
import { hostname } from 'node:os';

const MAX_TRIES = 50;
const ANSWER_BYTES = 64 * 1024;
const DIAL_MS = 5000;
const SHELL_MS = 30_000;

/** @param args the command and its flags; netexec without */
export function runAgnhost([command = 'netexec', ...args]: readonly string[]): void {
  const flag = flagsOf(args);
  const port = (name: string, otherwise: number): number => Number(flag.get(name) ?? otherwise);
  if (command === 'netexec') {
    createHttpServer(answerNetexec).listen(port('http-port', 8080), '::');
    serveUdp(port('udp-port', 8081));
  } else if (command === 'serve-hostname') {
    const at = port('port', 9376);
    if (flag.has('udp')) serveUdp(at, hostname());
    if (flag.has('tcp')) serveTcp(at);
    else if (flag.get('http') !== 'false')
      createHttpServer((_, response) => void response.end(hostname())).listen(at, '::');
  } else if (command === 'porter') porter();
  else if (command === 'connect') void probe(args.find((arg) => !arg.startsWith('-')) ?? '', flag);
  else setInterval(() => {}, 2 ** 30); // pause, and what there is not: the pod is there
}

function flagsOf(args: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  args.forEach((arg, at) => {
    const parts = /^--?([\w-]+)(?:=(.*))?$/s.exec(arg);
    if (parts === null) return;
    const [, name, value] = parts;
    const next = args.at(at + 1);
    flags.set(name, value ?? (next === undefined || next.startsWith('-') ? 'true' : next));
  });
  return flags;
}

function porter(): void {
  for (const [name, text = ''] of Object.entries(process.env)) {
    const parts = /^SERVE_(?:(TCP|UDP)_)?PORT_(\d+)$/.exec(name);
    if (parts === null) continue;
    const [, protocol, port] = parts;
    if (protocol === 'UDP') serveUdp(Number(port), text);
    else if (protocol === 'TCP')
      createServer((socket) => void socket.on('error', () => {}).end(text)).listen(Number(port), '::');
    else createHttpServer((_, response) => void response.end(text)).listen(Number(port), '::');
  }
}

function serveTcp(port: number): void {
  createServer((socket) => void socket.on('error', () => {}).end(`${hostname()}\n`)).listen(port, '::');
}

/** @param fixed what is answered to everything */
function serveUdp(port: number, fixed?: string): void {
  const socket = createSocket({ type: 'udp6', ipv6Only: false });
  socket.on('error', (error) => console.error(error.message));
  socket.on('message', (message, { address, port: from }) => {
    const text = message.toString('utf8').trim();
    const client = `${address.replace(/^::ffff:/, '')}:${from}`;
    const [word, ...rest] = text.split(' ');
    const answers: Readonly<Record<string, string>> = { hostname: hostname(), echo: rest.join(' '), clientip: client };
    const answer = fixed ?? (Object.hasOwn(answers, word.toLowerCase()) ? answers[word.toLowerCase()] : '');
    if (answer !== '') socket.send(answer, from, address);
  });
  socket.bind(port, '::');
}

function answerNetexec({ url = '/', socket }: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = URL.canParse(url, 'http://x')
    ? new URL(url, 'http://x')
    : new URL('http://x/none');
  const client = `${(socket.remoteAddress ?? '').replace(/^::ffff:/, '')}:${socket.remotePort}`;
  const plain = (text: string, status = 200): void =>
    void response.writeHead(status, { 'Content-Type': 'text/plain' }).end(text);
  if (pathname === '/hostname' || pathname === '/hostName') plain(hostname());
  else if (pathname === '/clientip') plain(client);
  else if (pathname === '/echo') plain(searchParams.get('msg') ?? '');
  else if (pathname === '/healthz') plain('');
  else if (pathname === '/shell') runShell(searchParams.get('shell') ?? searchParams.get('cmd') ?? '', response);
  else if (pathname === '/dial') void dial(searchParams, response);
  else if (pathname === '/') plain(`NOW: ${new Date().toISOString()}`);
  else plain('404 page not found\n', 404);
}

function runShell(script: string, response: ServerResponse): void {
  execFile('/bin/sh', ['-c', script], { timeout: SHELL_MS, maxBuffer: ANSWER_BYTES }, (error, output, errors) => {
    const result = { ...(output !== '' && { output }), ...(error !== null && { error: errors || error.message }) };
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(result));
  });
}

/** Asks another netexec, over HTTP or UDP. */
async function dial(query: URLSearchParams, response: ServerResponse): Promise<void> {
  const host = query.get('host') ?? '';
  const port = Number(query.get('port'));
  const request = query.get('request') ?? 'hostname';
  const tries = Math.min(Math.max(1, Number(query.get('tries')) || 1), MAX_TRIES);
  const responses: string[] = [];
  const errors: string[] = [];
  for (let done = 0; done < tries; done++) {
    try {
      responses.push(
        await (query.get('protocol') === 'udp' ? askUdp(host, port, request) : askHttp(host, port, request)),
      );
    } catch (error) {
      errors.push((error as Error).message);
    }
  }
  const result = { ...(responses.length > 0 && { responses }), ...(errors.length > 0 && { errors }) };
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(result));
}

function askHttp(host: string, port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = get({ host, port, path: `/${request}`, timeout: DIAL_MS, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text = (text + part).slice(0, ANSWER_BYTES)));
      answer.on('end', () => resolve(text)).on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('i/o timeout'))).on('error', reject);
  });
}

function askUdp(host: string, port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const end = (finish: () => void): void => {
      clearTimeout(timer);
      socket.close();
      finish();
    };
    const timer = setTimeout(() => end(() => reject(new Error('i/o timeout'))), DIAL_MS);
    socket.on('message', (message) => end(() => resolve(message.toString('utf8'))));
    socket.on('error', (error) => end(() => reject(error)));
    socket.send(request, port, host);
  });
}

/** One connection or datagram; says what became of it as agnhost does, and ends with 0 or 1. */
async function probe(target: string, flags: ReadonlyMap<string, string>): Promise<void> {
  const parts = /^\[?(.+?)\]?:(\d{1,5})$/.exec(target);
  const milliseconds = durationMs(flags.get('timeout') ?? '1s');
  const [, host = '', port = '0'] = parts ?? [];
  const fail = (word: string): never => {
    process.stderr.write(`${word}\n`);
    process.exit(1);
  };
  if (flags.get('protocol') === 'udp') {
    const late = setTimeout(() => fail('TIMEOUT'), milliseconds);
    await askUdp(host, Number(port), 'hostname').catch((error: unknown) => fail(wordOf(error)));
    clearTimeout(late);
    process.exit(0);
  }
  const socket = connect({ host, port: Number(port), timeout: milliseconds });
  socket.on('timeout', () => fail('TIMEOUT')).on('error', (error) => fail(wordOf(error)));
  socket.on('connect', () => process.exit(0));
}

function wordOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'REFUSED';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'DNS';
  return code === 'ETIMEDOUT' || message === 'i/o timeout' ? 'TIMEOUT' : `OTHER: ${message}`;
}

/** `1s`, `500ms` */
function durationMs(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  return parts === null ? 1000 : Number(parts[1]) * { ms: 1, s: 1000, m: 60_000 }[parts[2] as 'ms' | 's' | 'm'];
}
