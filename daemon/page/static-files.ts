/**
 * The files of the page, as the build left them in dist/page: read whole into memory, and looked up by their path as it stands in the
 * request. No path of a request ever reaches the file system.
 *
 * Files below `assets/` have a hash of their content in their name and may be kept for ever; others are asked about anew each time.
 * Beside a file, `x.br` and `x.gz` are the same file compressed. When the build makes the page anew, it is read anew.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;
const FILES_LIMIT = 256;
const BYTES_LIMIT = 16 * 1024 * 1024;
const INDEX = '/index.html';

type Encoding = 'br' | 'gzip' | 'identity';

interface StaticFile {
  readonly type: string;
  readonly isImmutable: boolean;
  readonly bodies: ReadonlyMap<Encoding, { readonly bytes: Buffer; readonly etag: string }>;
}

/** A file as it is answered. */
export interface StaticAnswer {
  readonly status: 200 | 304;
  readonly headers: Readonly<Record<string, string | number>>;
  /** Empty for 304. */
  readonly bytes: Buffer;
}

/** What of a request's head counts. */
export interface StaticRequest {
  readonly acceptEncoding: string;
  readonly ifNoneMatch: string;
}

export class StaticFiles {
  readonly #folder: string;
  #files: ReadonlyMap<string, StaticFile> = new Map();
  #readMs = Number.NaN;
  #problem = '';

  constructor(folder: string) {
    this.#folder = folder;
    this.look();
  }

  /** Why there is no page; '' when there is one. */
  get problem(): string {
    return this.#problem;
  }

  /** The answer for a path; undefined when there is no such file. @param path as in the request, without the query */
  answer(path: string, { acceptEncoding, ifNoneMatch }: StaticRequest): StaticAnswer | undefined {
    if (path === '/') this.look();
    const file = this.#files.get(path === '/' ? INDEX : path);
    if (file === undefined) return undefined;
    const accepted = acceptedEncodings(acceptEncoding);
    const encoding = ENCODINGS.map(([name]) => name).find((name) => accepted.has(name) && file.bodies.has(name));
    const body = file.bodies.get(encoding ?? 'identity');
    if (body === undefined) return undefined;
    const headers = {
      'content-type': file.type,
      'cache-control': file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      etag: body.etag,
      vary: 'accept-encoding',
    };
    const isKnown = ifNoneMatch.split(',').some((one) => one.trim() === body.etag);
    if (isKnown) return { status: 304, headers, bytes: Buffer.alloc(0) };
    const encoded = encoding === undefined ? {} : { 'content-encoding': encoding };
    const all = { ...headers, ...encoded, 'content-length': body.bytes.length };
    return { status: 200, headers: all, bytes: body.bytes };
  }

  /** Reads the files when their build is another. */
  look(): void {
    try {
      const builtMs = statSync(join(this.#folder, INDEX)).mtimeMs;
      if (builtMs === this.#readMs) return;
      this.#files = readFiles(this.#folder);
      this.#readMs = builtMs;
      this.#problem = '';
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      this.#files = new Map();
      this.#readMs = Number.NaN;
      const found = code === 'ENOENT' ? 'none' : (code ?? message);
      this.#problem = `read the page in ${this.#folder}: found ${found}, wanted index.html: scripts/setup builds it`;
    }
  }
}

function readFiles(folder: string): Map<string, StaticFile> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  if (entries.length > FILES_LIMIT) throw new Error(`found ${entries.length} files, wanted at most ${FILES_LIMIT}`);
  const bytes = new Map<string, Buffer>();
  let total = 0;
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const content = readFileSync(path);
    total += content.length;
    if (total > BYTES_LIMIT) throw new Error(`found more than ${BYTES_LIMIT} bytes, wanted a page`);
    bytes.set(`/${relative(folder, path).split(sep).join('/')}`, content);
  }
  const files = new Map<string, StaticFile>();
  for (const [path, plain] of bytes) {
    const type = TYPES[extname(path)];
    if (type === undefined) continue; // a compressed sibling, or nothing for browsers
    const bodies = new Map<Encoding, { bytes: Buffer; etag: string }>([['identity', withTag(plain)]]);
    for (const [name, ending] of ENCODINGS) {
      const encoded = bytes.get(path + ending);
      if (encoded !== undefined) bodies.set(name, withTag(encoded));
    }
    files.set(path, { type, isImmutable: path.startsWith('/assets/'), bodies });
  }
  return files;
}

function withTag(bytes: Buffer): { bytes: Buffer; etag: string } {
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` };
}

/** RFC 9110, 12.5.3, without weights: what is named and not refused. */
function acceptedEncodings(header: string): Set<string> {
  const named = header.split(',').map((one) => one.trim().toLowerCase());
  return new Set(named.filter((one) => !/;\s*q=0(\.0*)?$/.test(one)).map((one) => one.split(';', 1)[0].trim()));
}
