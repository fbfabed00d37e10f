/** Every policy that the tree has as YAML: files of examples/ and pages, and texts in the sources of tests. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { seedManifests } from './seed-manifests.ts';

export interface WrittenPolicy {
  /** The file it stands in, and how many stood there before it. */
  readonly name: string;
  readonly text: string;
}

const POLICY =
  /^\s*"?'?kind"?'?: *"?'?(NetworkPolicy|Cilium(Clusterwide)?NetworkPolicy)\b|[{,] *"?kind"?: *"?(NetworkPolicy|Cilium(Clusterwide)?NetworkPolicy)\b/m;

/** In the order of their files. */
export function writtenPolicies(): WrittenPolicy[] {
  const files = execFileSync('git', ['ls-files', 'examples', 'test', 'policy', 'cli', 'explain', 'docs', 'README.md'], {
    encoding: 'utf8',
  });
  const written = files
    .split('\n')
    .filter((file) => /\.(ya?ml|ts|md)$/.test(file))
    .flatMap((file) => textsOf(file, readFileSync(file, 'utf8')).map((text, i) => ({ name: `${file} ${i}`, text })))
    .filter(({ text }) => POLICY.test(text));
  const seeds = seedManifests().filter(({ kind }) => String(kind).endsWith('NetworkPolicy'));
  const styles = [{ lineWidth: 0 }, { indent: 4, indentSeq: false }, { collectionStyle: 'flow' as const }];
  for (const seed of seeds) {
    const name = `seed ${String(seed['kind'])}`;
    for (const style of styles)
      written.push({ name: `${name} ${Object.keys(style)[0]}`, text: stringify(seed, style) });
    written.push({ name: `${name} JSON`, text: JSON.stringify(seed, null, 2) });
  }
  return written;
}

function textsOf(file: string, source: string): string[] {
  if (/\.ya?ml$/.test(file)) return [source];
  if (file.endsWith('.md')) return [...source.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, text]) => text);
  // Texts in backquotes without a value in them.
  return [...source.matchAll(/`((?:[^`\\$]|\$(?!\{))*)`/g)].map(([, text]) => text);
}
