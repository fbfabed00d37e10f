/** Changes of policies as a patch: the policies that change, before and after, and the difference as `diff -u` shows it. */
import { stringify } from 'yaml';
import type { Document } from '../policy/document/document.ts';
import type { PolicyOptions } from '../policy/rule/options.ts';
import { policyName } from '../policy/rule/rule.ts';
import { type Change, changed } from './change.ts';

export interface PatchedPolicy {
  /** `Kind/namespace/name`. */
  readonly name: string;
  /** Where it was written; '' for a new one. */
  readonly place: string;
  readonly before: object | undefined;
  readonly after: object;
}

/** The policies that differ when all changes are made, one after another. */
export function patchOf(
  documents: readonly Document[],
  changes: readonly Change[],
  options: PolicyOptions,
): PatchedPolicy[] {
  const after = changes.reduce<readonly Document[]>((all, one) => changed(all, one, options) ?? all, documents);
  return after.flatMap((document) => {
    const before = documents.find((one) => policyName(one) === policyName(document));
    if (before === document || JSON.stringify(before?.object) === JSON.stringify(document.object)) return [];
    const place = before === undefined ? '' : `${before.file}:${before.line}`;
    return [{ name: policyName(document), place, before: before?.object, after: document.object }];
  });
}

/** As `diff -u` has it, of the policy as YAML; ends in a newline. */
export function patchText({ name, place, before, after }: PatchedPolicy): string {
  const [old, fresh] = [before === undefined ? [] : linesOf(before), linesOf(after)];
  const head = [before === undefined ? '--- /dev/null' : `--- ${name} (${place})`, `+++ ${name}`];
  return `${[...head, ...hunksOf(old, fresh)].join('\n')}\n`;
}

function linesOf(object: object): string[] {
  return stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd().split('\n');
}

/** Lines around a difference. */
const CONTEXT = 3;

interface Edit {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
}

/** One hunk for each group of differences. */
function hunksOf(old: readonly string[], fresh: readonly string[]): string[] {
  const edits = editsOf(old, fresh);
  const isNear = (at: number): boolean =>
    edits.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ sign }) => sign !== ' ');
  const lines: string[] = [];
  let [oldAt, freshAt] = [1, 1];
  for (let at = 0; at < edits.length; ) {
    if (!isNear(at)) {
      at++;
      oldAt++;
      freshAt++;
      continue;
    }
    let end = at;
    while (end < edits.length && isNear(end)) end++;
    const hunk = edits.slice(at, end);
    const oldCount = hunk.filter(({ sign }) => sign !== '+').length;
    const freshCount = hunk.filter(({ sign }) => sign !== '-').length;
    const range = (from: number, count: number): string => `${count === 0 ? from - 1 : from},${count}`;
    lines.push(`@@ -${range(oldAt, oldCount)} +${range(freshAt, freshCount)} @@`);
    lines.push(...hunk.map(({ sign, line }) => sign + line));
    oldAt += oldCount;
    freshAt += freshCount;
    at = end;
  }
  return lines;
}

/**
 * What both begin and end with stays; between, the longest common subsequence does. A change adds to one place, so that little is between;
 * where much is, it is replaced as a whole.
 */
function editsOf(old: readonly string[], fresh: readonly string[]): Edit[] {
  let head = 0;
  while (head < Math.min(old.length, fresh.length) && old[head] === fresh[head]) head++;
  let tail = 0;
  const most = Math.min(old.length, fresh.length) - head;
  while (tail < most && old[old.length - 1 - tail] === fresh[fresh.length - 1 - tail]) tail++;
  const same = (lines: readonly string[]): Edit[] => lines.map((line) => ({ sign: ' ', line }));
  const [gone, come] = [old.slice(head, old.length - tail), fresh.slice(head, fresh.length - tail)];
  return [...same(old.slice(0, head)), ...between(gone, come), ...same(old.slice(old.length - tail))];
}

const MOST_CELLS = 4_000_000;

function between(gone: readonly string[], come: readonly string[]): Edit[] {
  const width = come.length + 1;
  const replaced: Edit[] = [
    ...gone.map((line): Edit => ({ sign: '-', line })),
    ...come.map((line): Edit => ({ sign: '+', line })),
  ];
  if (gone.length === 0 || come.length === 0 || (gone.length + 1) * width > MOST_CELLS) return replaced;
  const lengths = new Uint32Array((gone.length + 1) * width);
  for (let i = gone.length - 1; i >= 0; i--) {
    for (let j = come.length - 1; j >= 0; j--) {
      const skip = Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
      lengths[i * width + j] = gone[i] === come[j] ? lengths[(i + 1) * width + j + 1] + 1 : skip;
    }
  }
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < gone.length && j < come.length) {
    if (gone[i] === come[j]) {
      edits.push({ sign: ' ', line: gone[i++] });
      j++;
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) edits.push({ sign: '-', line: gone[i++] });
    else edits.push({ sign: '+', line: come[j++] });
  }
  const rest: Edit[] = [
    ...gone.slice(i).map((line): Edit => ({ sign: '-', line })),
    ...come.slice(j).map((line): Edit => ({ sign: '+', line })),
  ];
  return [...edits, ...rest];
}
