/** Documents with their problems, as tables of cases. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Documents, readDocuments } from '../../policy/document/document.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { formatProblem, type Problem } from '../../policy/rule/problems.ts';

/** `severity code` of every problem that the tests of this file have met. */
export const met = new Set<string>();

/** What the reader says of any document, policy or not: documents.test.ts meets these, validate.test.ts the others. */
export const READER_CODES = [
  'error address',
  'error api-version',
  'error internal',
  'error missing-field',
  'error name',
  'error no-kind',
  'error octal',
  'error other-group',
  'error out-of-range',
  'error syntax',
  'error too-large',
  'error unknown-kind',
  'error wrong-type',
  'warning cluster-scoped',
  'warning pair-for-string',
  'warning unquoted',
];

export function read(text: string, config?: PolicyConfig): Documents {
  const found = readDocuments(text, 'f.yaml', config);
  for (const { severity, code } of found.problems) met.add(`${severity} ${code}`);
  return found;
}

export function cnp(spec: string): string {
  return `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: test, namespace: shop}
spec:
${spec.replace(/^/gm, '  ')}
`;
}

export const ccnp = (spec: string): string =>
  cnp(spec).replace('CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy').replace(', namespace: shop', '');

export const web = (rest: string): string => cnp(`endpointSelector: {matchLabels: {app: web}}\n${rest}`);

export const knp = (spec: string): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: test, namespace: shop}
spec:
${spec.replace(/^/gm, '  ')}
`;

export const ports = (inner: string): string => web(`ingress:\n- toPorts:\n  - ${inner.replace(/\n/g, '\n    ')}`);
export const egressPorts = (inner: string): string => web(`egress:\n- toPorts:\n  - ${inner.replace(/\n/g, '\n    ')}`);

/** `code path` of each problem of a severity. */
export const codes = (problems: readonly Problem[], severity: string): string[] =>
  problems.filter((problem) => problem.severity === severity).map(({ code, path }) => `${code} ${path}`.trim());

export interface Case {
  readonly name: string;
  readonly text: string;
  readonly config?: PolicyConfig;
  /** Codes with paths; none = accepted. */
  readonly errors?: readonly string[];
  readonly warnings?: readonly string[];
}

export function table(title: string, cases: readonly Case[]): void {
  t.test(title, (t) => {
    for (const { name, text, config, errors = [], warnings } of cases) {
      const { documents, problems } = read(text, config);
      t.same(codes(problems, 'error'), errors, name);
      if (warnings !== undefined) t.same(codes(problems, 'warning'), warnings, `${name}: warnings`);
      t.equal(
        documents.length > 0,
        errors.length === 0,
        `${name}: ${errors.length === 0 ? 'returned' : 'not returned'}`,
      );
      for (const problem of problems)
        t.ok(problem.line >= 1 && problem.column >= 1 && problem.message.includes('found '), formatProblem(problem));
    }
    t.end();
  });
}

export const repeat = (count: number, item: string): string => Array.from({ length: count }, () => item).join(', ');

export const REFERENCE = readFileSync(join(import.meta.dirname, '../../../docs/policy.md'), 'utf8');

/** Cells of the rows of every table in a part of the page whose first header is `header`. */
export function rowsOf(text: string, header: string): string[][] {
  const rows: string[][] = [];
  let isInside = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) isInside = false;
    else if (line.startsWith(`| ${header} |`)) isInside = true;
    else if (isInside && !line.startsWith('|---')) rows.push(line.split('|').slice(1, -1));
  }
  return rows.map((cells) => cells.map((cell) => cell.trim()));
}

export const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

/** The part of the page under a heading, down to the next of its level. */
export function section(heading: string): string {
  const [level] = heading.split(' ');
  const from = REFERENCE.indexOf(`\n${heading}\n`);
  const rest = REFERENCE.slice(from + heading.length + 2);
  const to = rest.search(new RegExp(`^${level} `, 'm'));
  return from < 0 ? '' : rest.slice(0, to < 0 ? undefined : to);
}
