/**
 * Credential plugins (client.authentication.k8s.io/v1): a program that is run, told in KUBERNETES_EXEC_INFO what for, and writes an ExecCredential.
 * It gets no terminal, a minute, and 1 MiB to answer in; what it writes to stderr goes into the sentence when it fails.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type Access, AccessError, type ExecPlugin, type TextSource } from './access.ts';

const PATIENCE_MS = 60_000;
const MAX_OUTPUT = 1 << 20;
const MAX_SAID = 500; // characters of stderr in a sentence

export interface PluginCredential {
  readonly token: string;
  readonly cert: string;
  readonly key: string;
  /** Infinity when it is good until it is refused. */
  readonly expiresMs: number;
}

/** @throws AccessError saying how it failed */
export async function askPlugin(access: Access): Promise<PluginCredential> {
  const { exec } = access.user;
  if (exec === undefined) throw new AccessError(`use ${access.name}: found no plugin, wanted one`);
  const answer = await output(exec, execInfo(access, exec));
  return readCredential(answer, exec);
}

function execInfo({ server, ca, isInsecure, serverName, proxy }: Access, exec: ExecPlugin): string {
  const cluster = {
    server,
    ...(serverName !== undefined && { 'tls-server-name': serverName }),
    ...(isInsecure && { 'insecure-skip-tls-verify': true }),
    ...(ca !== undefined && { 'certificate-authority-data': Buffer.from(textOf(ca)).toString('base64') }),
    ...(proxy !== undefined && { 'proxy-url': proxy }),
  };
  const spec = { ...(exec.provideClusterInfo && { cluster }), interactive: false };
  return JSON.stringify({ kind: 'ExecCredential', apiVersion: exec.apiVersion, spec });
}

function output({ command, args, env, installHint }: ExecPlugin, info: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (found: string): void => {
      const hint = installHint === '' ? '' : `: ${installHint}`;
      reject(new AccessError(`run ${command}: ${found}, wanted a credential${hint}`));
    };
    const child = spawn(command, args, {
      env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: info },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Not spawn's own `timeout`: that of a program which could not be run goes on, and keeps its Node from ending.
    const alarm = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    let text = '';
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      if (text.length <= MAX_OUTPUT) text += piece;
      else child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => (said = (said + piece).slice(0, MAX_SAID)));
    child.on('error', ({ message }) => {
      clearTimeout(alarm);
      fail(`found ${message}`);
    });
    child.on('close', (code, signal) => {
      clearTimeout(alarm);
      if (code === 0) resolve(text);
      else fail(`found ${signal ?? `exit code ${code}`} (${said.trim() || 'it said nothing'})`);
    });
  });
}

interface ExecCredential {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly status?: Readonly<Record<string, unknown>>;
}

function readCredential(text: string, { command, apiVersion }: ExecPlugin): PluginCredential {
  let answer: ExecCredential | null;
  try {
    answer = JSON.parse(text) as ExecCredential | null;
  } catch {
    throw new AccessError(`run ${command}: found an answer that is no JSON, wanted an ExecCredential`);
  }
  if (answer?.kind !== 'ExecCredential' || answer.apiVersion !== apiVersion)
    throw new AccessError(`run ${command}: found an answer of another kind, wanted an ExecCredential of ${apiVersion}`);
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp: end } = answer.status ?? {};
  const texts = [token, cert, key].map((one) => (typeof one === 'string' ? one.trim() : ''));
  if (texts[0] === '' && (texts[1] === '' || texts[2] === ''))
    throw new AccessError(`run ${command}: found neither token nor certificate in its answer, wanted one`);
  const expiresMs = typeof end === 'string' ? Date.parse(end) : Infinity;
  if (Number.isNaN(expiresMs))
    throw new AccessError(`run ${command}: found expirationTimestamp ${String(end)}, wanted a time`);
  return { token: texts[0], cert: texts[1], key: texts[2], expiresMs };
}

/** @throws SystemError when its file cannot be read */
export function textOf(source: TextSource): string {
  return 'text' in source ? source.text : readFileSync(source.path, 'utf8');
}
