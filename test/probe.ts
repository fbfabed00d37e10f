/** One probe of an example's step, with the program that people would take for it, and what came of it in a word. */
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../linux/package-root.ts';
import { inNetns, type Outcome, PATIENCE_SEC, run } from './command.ts';

export type Family = 4 | 6;

/** What one pod is to send to another. */
export interface Probe {
  name?: string;
  http?: string;
  tls?: string;
  headers?: Record<string, string>;
  tcp?: number;
  udp?: number;
  ping?: boolean;
  dns?: string;
  grpc?: string;
  kafka?: string;
  expect?: string | number;
}

/** A probe in a few words, for people. */
export function describeProbe(probe: Probe): string {
  const kind = (['http', 'tcp', 'udp', 'dns', 'grpc', 'kafka'] as const).find((kind) => probe[kind] !== undefined);
  const headers = Object.entries(probe.headers ?? {}).map(([name, value]) => `${name}: ${value}`);
  const more = [...(probe.tls === undefined ? [] : [`TLS as ${probe.tls}`]), ...headers];
  return `${kind === undefined ? 'ping' : `${kind} ${probe[kind]}`}${more.length > 0 ? ` with ${more.join(', ')}` : ''}`;
}

/** Where silence is wanted, this much of it is enough; where an answer is due, it ends the wait itself. */
const SILENCE_SEC = 1;

export interface Attempt {
  outcome: string;
  text: string;
}

/** Sends what the step says and names what came of it. */
export async function attempt(step: Probe, family: Family, netns: string, target: string): Promise<Attempt> {
  const seconds = step.expect === 'timeout' ? SILENCE_SEC : PATIENCE_SEC;
  const inside = (argv: string[], input?: string) =>
    run(inNetns(netns, argv), { timeoutMs: (seconds + 20) * 1000, ...(input === undefined ? {} : { input }) });
  const whom = step.name ?? target;
  const how = step.name === undefined ? `-n${family}` : `-${family}`;
  if (step.http !== undefined) return readCurl(await inside(curl(step, family, whom, seconds)));
  if (step.tcp !== undefined) {
    return readNetcat(await inside(['nc', '-vz', how, '-w', String(seconds), whom, String(step.tcp)]));
  }
  if (step.udp !== undefined) {
    const { stdout } = await inside(
      ['nc', '-u', how, '-w', String(seconds), '-W', '1', whom, String(step.udp)],
      'echo\n',
    );
    return { outcome: stdout === 'echo\n' ? 'ok' : 'timeout', text: stdout };
  }
  if (step.dns !== undefined) {
    const question = [...step.dns.split(' '), '+noall', '+comments', '+answer'];
    const { stdout } = await inside(['dig', `@${target}`, ...question, '+tries=1', `+time=${seconds}`]);
    const isAnswered = stdout.includes('status: NOERROR') && !stdout.includes('ANSWER: 0,');
    const unless = stdout.includes('status: REFUSED') ? 'refused' : 'timeout';
    return { outcome: isAnswered ? 'ok' : unless, text: stdout.trim() };
  }
  if (step.grpc !== undefined) return readCall(await inside(call(step.grpc, whom)));
  if (step.kafka !== undefined) {
    const [port, what, topic, text] = step.kafka.split(' ');
    return readKcat(await inside(kcat(family, `${whom}:${port}`, what, topic), `${text}\n`));
  }
  const { code, stdout } = await inside(['ping', '-n', `-${family}`, '-c', '1', '-W', String(seconds), whom]);
  return { outcome: code === 0 ? 'ok' : 'timeout', text: stdout.trim() };
}

function curl(step: Probe, family: Family, whom: string, seconds: number): string[] {
  const [method, port, path] = (step.http ?? '').split(' ');
  const headers = Object.entries(step.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const url = `${step.tls === undefined ? 'http' : 'https'}://${step.tls ?? bracketed(whom)}:${port}${path}`;
  const tls = step.tls === undefined ? [] : ['-k', '--resolve', `${step.tls}:${port}:${bracketed(whom)}`];
  return [
    'curl',
    '-sS',
    '-g',
    `-${family}`,
    '--path-as-is',
    '-m',
    String(seconds),
    '-X',
    method,
    ...headers,
    ...tls,
    '-w',
    '\n%{http_code}',
    url,
  ];
}

const CURL_UNRESOLVED = 6;
const CURL_REFUSED = 7;
const CURL_TIMEOUT = 28;
/** Of the handshake: the server, or who is before it, has said no. */
const CURL_TLS = 35;

function readCurl({ code, stdout, stderr }: Outcome): Attempt {
  const [, body, status] = /^([^]*)\n(\d+)$/.exec(stdout) ?? ['', '', ''];
  const isUnresolved = code === CURL_UNRESOLVED || (code === CURL_TIMEOUT && stderr.includes('Resolving timed out'));
  if (isUnresolved) return { outcome: 'unresolved', text: stderr.trim() };
  if (code === CURL_TIMEOUT) return { outcome: 'timeout', text: '' };
  if (code === CURL_REFUSED || code === CURL_TLS) return { outcome: 'refused', text: stderr.trim() };
  return code === 0 ? { outcome: status, text: body.trim() } : { outcome: `curl exit ${code}`, text: stderr.trim() };
}

function readNetcat({ code, stderr }: Outcome): Attempt {
  if (code === 0) return { outcome: 'ok', text: '' };
  if (stderr.includes('getaddrinfo')) return { outcome: 'unresolved', text: stderr.trim() };
  return { outcome: /refused/.test(stderr) ? 'refused' : 'timeout', text: stderr.trim() };
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

const CALLS = join(PACKAGE_ROOT, 'examples/calls.py');

function call(step: string, whom: string): string[] {
  const [port, method, ...messages] = step.split(' ');
  return [CALLS, `${bracketed(whom)}:${port}`, method, ...messages];
}

/** The last line is the status. */
function readCall({ stdout, stderr }: Outcome): Attempt {
  const lines = stdout.trim().split('\n');
  return { outcome: (lines.at(-1) ?? '').split(' ')[0], text: stdout.trim() || stderr.trim() };
}

/** Writes one line to a topic, or reads it from its beginning to its end. */
function kcat(family: Family, broker: string, what: string, topic: string): string[] {
  const settings = ['-X', `broker.address.family=v${family}`, '-X', `message.timeout.ms=${PATIENCE_SEC * 1000}`];
  const how = what === 'produce' ? ['-P'] : ['-C', '-o', 'beginning', '-e', '-q'];
  return ['timeout', String(PATIENCE_SEC), 'kcat', '-b', broker, ...settings, ...how, '-t', topic, '-p', '0'];
}

function readKcat({ code, stdout, stderr }: Outcome): Attempt {
  const isDenied = /authorization failed/.test(stderr);
  return {
    outcome: isDenied ? 'denied' : code === 0 ? 'ok' : `kcat exit ${code}`,
    text: stdout.trim() || stderr.trim(),
  };
}
