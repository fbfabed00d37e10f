/** Manifests from `-f`: files, folders (their .yaml, .yml and .json, in order of name), and `-` for standard input. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../terminal/failure.ts';
import { type Host, readStdin } from '../terminal/host.ts';
import { decodeText } from '../../policy/document/encoding.ts';
import { isManifestName, type Manifest } from '../../policy/document/manifest.ts';

export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}

/** What the agent takes in one request. */
const MAX_BYTES = 16 << 20;

/**
 * Reads all of them.
 * @param isRecursive folders with what lies below them; without descending unless told
 * @throws Failure naming the file that cannot be read, or the folder that holds no manifest
 */
export async function readManifests(
  host: Host,
  paths: readonly string[],
  isRecursive = false,
): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const path of paths) {
    if (path === '-') files.push({ path: 'stdin', text: await readStdin(host) });
    else if (/^https?:\/\//.test(path)) {
      throw new Failure(`read ${path}: found a URL, wanted a file: \`curl -sfL ${path} | sluice apply -f -\``);
    } else files.push(...readPath(path, isRecursive));
  }
  return files;
}

function readPath(path: string, isRecursive: boolean): ManifestFile[] {
  try {
    if (!statSync(path).isDirectory()) return [{ path, text: readText(path) }];
    const names = readdirSync(path, { recursive: isRecursive, encoding: 'utf8' }).filter(isManifestName);
    if (names.length === 0) throw new Failure(`read ${path}: the folder holds no .yaml, .yml or .json file`);
    return names.sort().map((name) => ({ path: join(path, name), text: readText(join(path, name)) }));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}: check the -f argument`);
  }
}

/** Pipes are read to their end; a device has none. */
function readText(path: string): string {
  const stat = statSync(path);
  if (stat.isCharacterDevice() || stat.isBlockDevice())
    throw new Failure(`read ${path}: it is a device, wanted a file`);
  if (stat.size > MAX_BYTES) throw new Failure(`read ${path}: found ${stat.size} bytes, wanted at most ${MAX_BYTES}`);
  return decodeText(readFileSync(path));
}

/**
 * The documents of a file as plain objects; empty documents are left out.
 * @throws Failure with file, line and column when it is no YAML
 */
export async function parseManifests(file: ManifestFile): Promise<Manifest[]> {
  const { parseStream } = await import('../../policy/document/stream.ts');
  const { documents, lines } = parseStream(file.text);
  for (const { errors } of documents) {
    if (errors.length === 0) continue;
    const { line, col } = lines.linePos(errors[0].pos[0]);
    throw new Failure(`${file.path}:${line}:${col}: ${errors[0].message.split('\n')[0]}`);
  }
  return documents.map((one) => one.toJS() as Manifest | null).filter((one) => one !== null && typeof one === 'object');
}
