/**
 * A policy test file: a world, policies, and a table of flows with the verdicts that are wanted.
 *
 *     name: shop
 *     world: [pods.yaml]               # files and folders beside this one, or objects written here
 *     policies: [policies/]            # the same
 *     config: { enable-policy: default }
 *     names: { api.example.com: [203.0.113.10] }     # what DNS has answered, for toFQDNs
 *     tests:
 *       - name: the shop reads offers
 *         from: shop/web-0             # namespace/pod, address, entity, labels a=b or namespace/a=b, or an end as in --queries
 *         to: shop/api-0
 *         port: 80
 *         http: { method: GET, path: /offers }
 *         verdict: allowed             # or denied
 *         by: [CiliumNetworkPolicy/shop/api]    # optional: policies that must be among those that decide
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import type { Document } from '../../policy/document/document.ts';
import { readTried } from '../../policy/trial.ts';
import { joinPath } from '../../policy/document/document-path.ts';
import type { Reader } from '../../policy/document/reader.ts';
import { POLICY_OPTIONS } from '../../policy/document/schema-options.ts';
import { any, list, map, object, oneOf, string } from '../../policy/document/shape.ts';
import { readYaml } from '../../policy/document/yaml.ts';
import { labelPatternProblem } from '../../policy/rule/label-filter.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { formatProblem, hasErrors, quote } from '../../policy/rule/problems.ts';
import type { Origin } from '../../policy/rule/rule.ts';
import { Failure } from '../terminal/failure.ts';
import type { Host } from '../terminal/host.ts';
import { endFrom } from '../../explain/end.ts';
import { readPolicyManifests } from './manifests.ts';
import { QUERY_FIELDS, readQuery } from '../../explain/query.ts';
import { type Answer, FlowJudge } from '../../explain/verdict.ts';
import { PolicyWorld } from '../../explain/world.ts';

export interface SuiteResult {
  readonly name: string;
  readonly file: string;
  readonly cases: readonly CaseResult[];
  /** Rules that decided no case. */
  readonly unused: readonly Origin[];
  readonly rules: number;
}

export interface CaseResult {
  readonly name: string;
  /** From 1. */
  readonly line: number;
  readonly answer: Answer;
  /** What differs from what was wanted; empty when the case passed. */
  readonly differences: readonly Difference[];
}

export interface Difference {
  readonly what: string;
  readonly wanted: string;
  readonly found: string;
}

/** A case as it is written: what is expected, beside a query (explain/query.ts checks that part). */
interface Case {
  readonly name?: string;
  readonly verdict: string;
  readonly egress?: string;
  readonly ingress?: string;
  readonly l7?: string;
  readonly by?: unknown;
  readonly from?: unknown;
  readonly to?: unknown;
  readonly [query: string]: unknown;
}

/** The file as it is written. */
interface Suite {
  readonly name?: string;
  readonly world?: unknown;
  readonly policies?: unknown;
  readonly config?: PolicyConfig;
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly tests: readonly Case[];
}

const SIDE = oneOf('allowed', 'denied', 'redirected');

/** What a case may expect. */
const EXPECTATIONS = {
  verdict: oneOf('allowed', 'denied'),
  egress: SIDE,
  ingress: SIDE,
  l7: oneOf('allowed', 'denied', 'none'),
  by: any,
};

const QUERY = Object.fromEntries(QUERY_FIELDS.map((name) => [name, any]));

const SUITE = object(
  {
    name: string,
    world: any,
    policies: any,
    config: POLICY_OPTIONS,
    names: map(list(string)),
    tests: list(object({ ...QUERY, name: string, ...EXPECTATIONS }, ['verdict'])),
  },
  ['tests'],
);

/**
 * Runs a test file.
 * @throws Failure when it is not one, or its manifests are invalid
 */
export async function runSuite(host: Host, file: string, config: PolicyConfig): Promise<SuiteResult> {
  const { suite, lines } = readSuite(file);
  const options = { ...config, ...suite.config };
  const documents = [
    ...(await readSources(host, file, suite.world, options)),
    ...(await readSources(host, file, suite.policies, options)),
  ];
  const world = new PolicyWorld(documents, options, { names: new Map(Object.entries(suite.names ?? {})) });
  const judge = new FlowJudge(world);
  const decided = new Set<string>();
  const cases = suite.tests.map((test, at) => {
    const result = runCase(judge, test, { file, line: lines[at], decided });
    return { name: test.name ?? `case ${at + 1}`, line: lines[at], ...result };
  });
  const rules = rulesOf(documents);
  const unused = rules.filter((origin) => !decided.has(originKey(origin)));
  return { name: suite.name ?? file, file, cases, unused, rules: rules.length };
}

/** The file, and the line of each case. */
function readSuite(file: string): { suite: Suite; lines: number[] } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`read ${file}: ${(error as NodeJS.ErrnoException).code}: check the path`);
  }
  const { value, reader } = readYaml(text, file, SUITE);
  const suite = value as Suite | undefined;
  if (suite !== undefined) checkSuite(suite, reader);
  else if (reader.problems.length === 0) reader.problem('', 'empty', 'read document: found nothing, wanted tests');
  const errors = reader.problems.filter(({ severity }) => severity === 'error');
  if (suite === undefined || errors.length > 0) throw new Failure(errors.map(formatProblem).join('\n'));
  return { suite, lines: suite.tests.map((_, i) => reader.position(`tests[${i}]`).line) };
}

/** What the shape cannot say. */
function checkSuite({ config = {}, names = {}, tests = [] }: Partial<Suite>, reader: Reader): void {
  config.labels?.forEach((text, i) => {
    const wanted = labelPatternProblem(text);
    if (wanted === undefined) return;
    reader.problem(`config.labels[${i}]`, 'option', `read labels: found ${quote(text)}, wanted ${wanted}`);
  });
  for (const [name, addresses] of Object.entries(names)) {
    addresses.forEach((text, i) => {
      if (isIP(text) !== 0) return;
      const path = `${joinPath('names', name)}[${i}]`;
      reader.problem(path, 'address', `read ${name}: found ${quote(text)}, wanted an address`);
    });
  }
  tests.forEach(({ by }, i) => {
    if (by === undefined || [by].flat().every((policy) => typeof policy === 'string')) return;
    const message = `read by: found ${quote(by)}, wanted Kind/namespace/name of a policy, or a list of them`;
    reader.problem(`tests[${i}].by`, 'wrong-type', message);
  });
}

/** Paths are beside the test file; objects may stand in it. */
async function readSources(host: Host, file: string, value: unknown, config: PolicyConfig): Promise<Document[]> {
  const documents: Document[] = [];
  for (const source of Array.isArray(value) ? (value as unknown[]) : value === undefined ? [] : [value]) {
    const found =
      typeof source === 'string'
        ? await readPolicyManifests(host, [isAbsolute(source) ? source : join(dirname(file), source)], config)
        : readTried(JSON.stringify(source), file, config);
    if (hasErrors(found.problems)) {
      const errors = found.problems.filter(({ severity }) => severity === 'error');
      throw new Failure(`${file}: its manifests are invalid:\n${errors.map(formatProblem).join('\n')}`);
    }
    documents.push(...found.documents);
  }
  return documents;
}

interface CaseContext {
  readonly file: string;
  readonly line: number;
  /** Takes the rules that decided. */
  readonly decided: Set<string>;
}

function runCase(judge: FlowJudge, test: Case, context: CaseContext): Omit<CaseResult, 'name' | 'line'> {
  const given = Object.entries(test).filter(([key]) => key !== 'name' && !Object.hasOwn(EXPECTATIONS, key));
  const query = Object.fromEntries(
    given.map(([key, value]) => [key, key === 'from' || key === 'to' ? endFrom(value) : value]),
  );
  let answer: Answer;
  try {
    const checked = readQuery(query);
    answer = judge.answer(checked);
    for (const origin of judge.decidingOrigins(checked)) context.decided.add(originKey(origin));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Failure(`${context.file}:${context.line}: ${error.message}`);
  }
  return { answer, differences: differencesOf(test, answer) };
}

function differencesOf(test: Case, answer: Answer): Difference[] {
  const differences: Difference[] = [];
  const compare = (what: 'verdict' | 'egress' | 'ingress' | 'l7', found: string): void => {
    const wanted = test[what];
    if (wanted !== undefined && wanted !== found) differences.push({ what, wanted, found });
  };
  compare('verdict', answer.verdict === 'error' ? `error: ${answer.error ?? ''}` : answer.verdict);
  compare('egress', answer.egress?.verdict ?? 'none');
  compare('ingress', answer.ingress?.verdict ?? 'none');
  compare('l7', answer.l7 ?? 'none');
  const named = new Set([...(answer.egress?.policies ?? []), ...(answer.ingress?.policies ?? [])]);
  const wanted = (test.by as string | string[] | undefined) ?? [];
  for (const policy of typeof wanted === 'string' ? [wanted] : wanted) {
    if (!named.has(policy))
      differences.push({ what: 'by', wanted: policy, found: [...named].join(', ') || 'no policy' });
  }
  return differences;
}

function rulesOf(documents: readonly Document[]): Origin[] {
  const rules = documents.flatMap(({ policy }) => policy?.rules ?? []);
  return rules.flatMap((rule) => {
    const elements = [...rule.ingress, ...rule.egress].map(({ origin }) => origin);
    return elements.length === 0 ? [rule.origin] : elements;
  });
}

function originKey({ kind, namespace, name, path }: Origin): string {
  return `${kind}/${namespace}/${name} ${path}`;
}
