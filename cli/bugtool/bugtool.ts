/**
 * `sluice bugtool`: what somebody needs who looks for a fault from afar, in one archive without secrets.
 *
 * Each part is got by itself, and one that cannot be had (the agent is dead, a tool is missing) is told in `missing.txt` and
 * does not keep the others from being taken. Objects come first: what is hidden of them is then taken out of logs and problems too.
 * Bounds: PART_BYTES a part, LOG_BYTES of the end of a log, TOTAL_BYTES together, LAST_FLOWS flows, the agent's --timeout a question.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { arch, cpus, release, totalmem, version } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DaemonApi } from '../../api/daemon-api.ts';
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import { run } from '../../linux/command.ts';
import { DEFAULT_CONFIG } from '../../linux/daemon-start.ts';
import { readJournal } from '../../linux/journal.ts';
import { AGENT_FILES, runningAgent } from '../../linux/lock.ts';
import { VERSION } from '../../linux/version.ts';
import { listEndpointMap, listMetrics } from '../maps/bpf-tables.ts';
import { listMaps } from '../maps/map-list.ts';
import { Failure, sentenceOf } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { Secrets } from './secrets.ts';
import { type ArchivedFile, tarOf } from './tar.ts';

/** Of a part, of the end of a log, and of all together. */
const PART_BYTES = 4 << 20;
const LOG_BYTES = 256 << 10;
const TOTAL_BYTES = 32 << 20;
const LAST_FLOWS = 1000;
const CONFIG_BYTES = 1 << 20;

export interface Archive {
  readonly path: string;
  readonly parts: number;
  readonly bytes: number;
  /** What could not be had, and why; one sentence each. */
  readonly missing: readonly string[];
}

/**
 * Writes the archive.
 * @param path of a file that is not there yet; undefined = by instance and time, in the current folder
 * @throws Failure when it cannot be written
 */
export async function writeArchive(settings: Settings, path: string | undefined): Promise<Archive> {
  const nowMs = Date.now();
  const name = basename(settings.runDir);
  const stamp = new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '');
  const file = path ?? `sluice-bugtool-${name}-${stamp}.tar.gz`;
  const fd = openNew(file);
  try {
    const collection = new Collection(settings);
    const parts = await collection.collect();
    const bytes = gzipSync(tarOf(parts, nowMs));
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    return { path: file, parts: parts.length, bytes: bytes.length, missing: collection.missing };
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Never follows a link or writes over what is there. */
function openNew(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const advice = code === 'EEXIST' ? 'wanted a file that is not there yet' : 'check folder and permissions';
    throw new Failure(`write ${path}: ${code}: ${advice}`);
  }
}

class Collection {
  readonly missing: string[] = [];
  readonly #settings: Settings;
  readonly #api: DaemonApi;
  readonly #secrets = new Secrets();
  readonly #texts: (readonly [name: string, text: string])[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#api = new DaemonApi(settings);
  }

  async collect(): Promise<ArchivedFile[]> {
    await this.#collectObjects();
    await this.#part('flows.json', () => this.#flows());
    await this.#part('maps.json', () => this.#printed(listMaps));
    await this.#part('metrics.json', () => this.#printed(listMetrics));
    await this.#part('endpoint-map.json', () => this.#printed(listEndpointMap));
    await this.#part('configuration.yaml', () => this.#configuration());
    for (const log of [AGENT_FILES.log, 'dataplane.log', 'dns/log']) {
      await this.#part(`logs/${log.replace('dns/log', 'name-server.log')}`, () => this.#log(log));
    }
    await this.#part('versions.json', () => Promise.resolve(json(versions())));
    await this.#part('links.json', () => this.#links(['-d', '-s', '-j', 'link', 'show']));
    await this.#part('addresses.json', () => this.#links(['-j', 'address', 'show']));
    await this.#part('nft.txt', () => this.#table());
    return this.#files();
  }

  async #collectObjects(): Promise<void> {
    const documents: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['objects', () => this.#api.objects({})],
      ['policies', () => this.#api.policies()],
      ['status', () => this.#api.status()],
      ['endpoints', () => this.#api.endpoints()],
      ['identities', () => this.#api.identities()],
      ['services', () => this.#api.services()],
      ['cookies', () => this.#api.cookies()],
    ];
    for (const [name, ask] of documents) {
      await this.#part(`${name}.json`, async () => json(this.#secrets.hide(await ask())));
    }
  }

  async #part(name: string, get: () => Promise<string> | string): Promise<void> {
    try {
      this.#texts.push([name, await get()]);
    } catch (error) {
      this.missing.push(`${name}: ${this.#secrets.clean(sentenceOf(error))}`);
    }
  }

  /** All parts, cleaned and cut; the last tells what is not there. */
  #files(): ArchivedFile[] {
    let left = TOTAL_BYTES;
    const files = this.#texts.map(([name, text]) => {
      const whole = Buffer.from(this.#secrets.clean(text));
      const bytes = whole.subarray(0, Math.min(PART_BYTES, left));
      if (bytes.length < whole.length) this.missing.push(`${name}: cut after ${bytes.length} of ${whole.length} bytes`);
      left -= bytes.length;
      return { name, bytes };
    });
    const lines = this.missing.length === 0 ? ['nothing'] : this.missing;
    return [...files, { name: 'missing.txt', bytes: Buffer.from(`${lines.join('\n')}\n`) }];
  }

  async #flows(): Promise<string> {
    const lines: string[] = [];
    const signal = AbortSignal.timeout(2 * this.#settings.timeoutMs);
    await this.#api.flows({ last: LAST_FLOWS }, signal, (line) => {
      const envelope = readEnvelope(line);
      if (envelope !== undefined) lines.push(`${JSON.stringify(this.#secrets.hideFlow(envelope))}\n`);
    });
    if (signal.aborted) this.missing.push('flows.json: the agent did not end them in time');
    return lines.join('');
  }

  #log(name: string): string {
    if (this.#secrets.isOverfull) throw new Failure('left out: objects hide too many values to look for each in it');
    return tailOfFile(join(this.#settings.runDir, name));
  }

  /** What a command prints as JSON. */
  async #printed(print: (settings: Settings) => Promise<void>): Promise<string> {
    let text = '';
    const stdout = { write: (more: string | Uint8Array) => void (text += String(more)) };
    await print({ ...this.#settings, output: 'json', host: { ...this.#settings.host, stdout } });
    return text;
  }

  /** The file that the agent was started with, and the options beside it. */
  async #configuration(): Promise<string> {
    const pid = runningAgent(this.#settings.runDir)?.pid;
    const words = pid === undefined ? [] : readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const valueOf = (flag: string): string[] =>
      words.flatMap((word, at) => {
        if (word.startsWith(`${flag}=`)) return [word.slice(flag.length + 1)];
        return word === flag ? [words[at + 1] ?? ''] : [];
      });
    const file = valueOf('--config')[0] ?? DEFAULT_CONFIG;
    const { parse, stringify } = await import('yaml');
    const options = readHead(file);
    const set: [string, string][] = valueOf('--set').map((one) => {
      const [name = '', ...value] = one.split('=');
      return [name, value.join('=')];
    });
    const document = {
      file,
      ...(pid === undefined && { agent: 'not running' }),
      set: Object.fromEntries(set) as Readonly<Record<string, string>>,
      options: parse(options) as unknown,
    };
    return stringify(this.#secrets.hideOptions(document), { aliasDuplicateObjects: false });
  }

  #table(): Promise<string> {
    const { runDir } = this.#settings;
    return this.#inAgentNetns('nft', ['list', 'table', 'netdev', readJournal(runDir)?.instance ?? basename(runDir)]);
  }

  /** The agent may live in another network namespace than we. A dead one's is taken to be ours. */
  #inAgentNetns(command: string, words: readonly string[]): Promise<string> {
    const pid = runningAgent(this.#settings.runDir)?.pid;
    return pid === undefined ? run(command, words) : run('nsenter', ['-t', String(pid), '-n', command, ...words]);
  }

  /** What `ip` says of the interfaces that the journal names, and of no other. */
  async #links(words: readonly string[]): Promise<string> {
    const { runDir } = this.#settings;
    const journal = readJournal(runDir);
    const own = new Set(journal?.attachments.map(({ hostInterface }) => hostInterface));
    const prefix = `${journal?.instance ?? basename(runDir)}_`;
    const all = JSON.parse(await this.#inAgentNetns('ip', words)) as readonly { readonly ifname?: string }[];
    return json(all.filter(({ ifname = '' }) => own.has(ifname) || ifname.startsWith(prefix)));
  }
}

function json(document: unknown): string {
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

function versions(): object {
  const kernel = { release: release(), version: version(), machine: arch() };
  return { sluice: VERSION, node: process.version, kernel, processors: cpus().length, memoryBytes: totalmem() };
}

function readHead(path: string): string {
  const fd = openSync(path, 'r');
  try {
    if (fstatSync(fd).size > CONFIG_BYTES) throw new Failure(`read ${path}: found more than ${CONFIG_BYTES} bytes`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** The last LOG_BYTES of a file, from a line's beginning. */
function tailOfFile(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const from = Math.max(0, size - LOG_BYTES);
    const bytes = Buffer.alloc(size - from);
    const text = bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, from));
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    closeSync(fd);
  }
}
