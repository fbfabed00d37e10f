/** The manifests that the offline commands work on, from files and folders, with everything that is wrong with them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Document } from '../../policy/document/document.ts';
import { readTried } from '../../policy/trial.ts';
import { decodeText } from '../../policy/document/encoding.ts';
import { isManifestName } from '../../policy/document/manifest.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { Failure } from '../terminal/failure.ts';
import { type Host, readStdin } from '../terminal/host.ts';

export interface Manifests {
  readonly files: readonly string[];
  /** Those without errors. */
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
}

/**
 * Reads files, folders (with their subfolders, in order of name) and `-`.
 * @throws Failure when a path cannot be read, or a folder holds no manifest
 */
export async function readPolicyManifests(
  host: Host,
  paths: readonly string[],
  config: PolicyConfig,
): Promise<Manifests> {
  const files: string[] = [];
  const documents: Document[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    for (const file of path === '-' ? ['-'] : filesUnder(path, isManifestName, '.yaml, .yml or .json file')) {
      const text = file === '-' ? await readStdin(host) : readText(file);
      const found = readTried(text, file === '-' ? 'stdin' : file, config);
      files.push(file);
      documents.push(...found.documents);
      problems.push(...found.problems);
      if (found.documents.length === 0 && found.problems.length === 0) problems.push(emptyFile(file));
    }
  }
  return { files, documents, problems };
}

/** A pipeline that wrote nothing would pass for one whose documents are good. */
function emptyFile(file: string): Problem {
  return {
    file: file === '-' ? 'stdin' : file,
    line: 1,
    column: 1,
    severity: 'warning',
    path: '',
    code: 'empty',
    message: 'read manifest: found no document, wanted at least one',
  };
}

/**
 * The path itself, or the files of a folder and its subfolders that have such a name, in order.
 * @param what the files are called in the complaint that there are none
 */
export function filesUnder(path: string, isWanted: (name: string) => boolean, what: string): string[] {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw new Failure(`read ${path}: ${(error as NodeJS.ErrnoException).code}: check the path`);
  }
  if (!isFolder) return [path];
  const found = walk(path, isWanted);
  if (found.length === 0) throw new Failure(`read ${path}: the folder holds no ${what}`);
  return found;
}

function walk(folder: string, isWanted: (name: string) => boolean): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return entry.name.startsWith('.') || entry.name === 'node_modules' ? [] : walk(path, isWanted);
    return isWanted(entry.name) ? [path] : [];
  });
}

function readText(file: string): string {
  try {
    return decodeText(readFileSync(file));
  } catch (error) {
    throw new Failure(`read ${file}: ${(error as NodeJS.ErrnoException).code}: check the path`);
  }
}
