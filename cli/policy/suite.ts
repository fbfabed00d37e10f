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
import { isMap, isSeq, LineCounter, parseDocument } from 'yaml';
import { type Document, readDocuments } from '../../policy/document/document.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { formatProblem, hasErrors } from '../../policy/rule/problems.ts';
import type { Origin } from '../../policy/rule/rule.ts';
import { Failure } from '../terminal/failure.ts';
import type { Host } from '../terminal/host.ts';
import { endFrom } from '../../explain/end.ts';
import { readPolicyManifests } from './manifests.ts';
import { readQuery } from '../../explain/query.ts';
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

type PlainObject = Readonly<Record<string, unknown>>;

const FIELDS = ['name', 'world', 'policies', 'config', 'names', 'tests'];
const SIDE = ['allowed', 'denied', 'redirected'];
/** What a case may expect, with the values it can have. */
const EXPECTATIONS: Readonly<Record<string, readonly string[] | undefined>> = {
  verdict: ['allowed', 'denied'],
  egress: SIDE,
  ingress: SIDE,
  l7: ['allowed', 'denied', 'none'],
  by: undefined,
};

/**
 * Runs a test file.
 * @throws Failure when it is not one, or its manifests are invalid
 */
export async function runSuite(host: Host, file: string, config: PolicyConfig): Promise<SuiteResult> {
  const { fields, lines } = readSuite(file);
  const options = { ...config, ...(fields['config'] as PolicyConfig | undefined) };
  const documents = [
    ...(await readSources(host, file, fields['world'], options)),
    ...(await readSources(host, file, fields['policies'], options)),
  ];
  const world = new PolicyWorld(documents, options, namesOf(file, fields['names']));
  const judge = new FlowJudge(world);
  const decided = new Set<string>();
  const tests = fields['tests'] as PlainObject[];
  const cases = tests.map((test, at) => {
    const result = runCase(judge, test, { file, line: lines[at], decided });
    return { name: (test['name'] as string | undefined) ?? `case ${at + 1}`, line: lines[at], ...result };
  });
  const rules = rulesOf(documents);
  const unused = rules.filter((origin) => !decided.has(originKey(origin)));
  return { name: (fields['name'] as string | undefined) ?? file, file, cases, unused, rules: rules.length };
}

/** Addresses by DNS name. */
function namesOf(file: string, value: unknown): ReadonlyMap<string, readonly string[]> {
  const names = Object.entries((value ?? {}) as Record<string, unknown>);
  for (const [name, addresses] of names) {
    if (Array.isArray(addresses) && addresses.every((address) => isIP(String(address)) !== 0)) continue;
    throw new Failure(`${file}: names: ${name}: found ${JSON.stringify(addresses)}, wanted a list of addresses`);
  }
  return new Map(names.map(([name, addresses]) => [name, addresses as string[]]));
}

function readSuite(file: string): { fields: PlainObject; lines: number[] } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`read ${file}: ${(error as NodeJS.ErrnoException).code}: check the path`);
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  if (document.errors.length > 0) throw new Failure(`${file}: ${document.errors[0].message.split('\n')[0]}`);
  const fields = document.toJS() as PlainObject | null;
  const tests = isMap(document.contents) ? document.contents.get('tests', true) : undefined;
  if (fields === null || !isSeq(tests)) throw new Failure(`${file}: found no list 'tests', wanted a policy test file`);
  const unknown = Object.keys(fields).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined) throw new Failure(`${file}: found '${unknown}', wanted one of ${FIELDS.join(', ')}`);
  const lines = tests.items.map((item) => lineCounter.linePos((item as { range: [number] }).range[0]).line);
  return { fields, lines };
}

/** Paths are beside the test file; objects may stand in it. */
async function readSources(host: Host, file: string, value: unknown, config: PolicyConfig): Promise<Document[]> {
  const documents: Document[] = [];
  for (const source of Array.isArray(value) ? (value as unknown[]) : value === undefined ? [] : [value]) {
    const found =
      typeof source === 'string'
        ? await readPolicyManifests(host, [isAbsolute(source) ? source : join(dirname(file), source)], config)
        : readDocuments(JSON.stringify(source), file, config);
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

function runCase(judge: FlowJudge, test: PlainObject, context: CaseContext): Omit<CaseResult, 'name' | 'line'> {
  const given = Object.entries(test).filter(([key]) => key !== 'name' && !Object.hasOwn(EXPECTATIONS, key));
  const query = Object.fromEntries(
    given.map(([key, value]) => [key, key === 'from' || key === 'to' ? endFrom(value) : value]),
  );
  checkExpectations(test, `${context.file}:${context.line}`);
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

function checkExpectations(test: PlainObject, place: string): void {
  if (test['verdict'] === undefined) throw new Failure(`${place}: found no verdict, wanted allowed or denied`);
  for (const [name, values] of Object.entries(EXPECTATIONS)) {
    const value = test[name];
    if (value === undefined || values === undefined || values.includes(value as string)) continue;
    throw new Failure(`${place}: ${name}: found ${JSON.stringify(value)}, wanted ${values.join(', ')}`);
  }
}

function differencesOf(test: PlainObject, answer: Answer): Difference[] {
  const differences: Difference[] = [];
  const compare = (what: string, found: string): void => {
    const wanted = test[what] as string | undefined;
    if (wanted !== undefined && wanted !== found) differences.push({ what, wanted, found });
  };
  compare('verdict', answer.verdict === 'error' ? `error: ${answer.error ?? ''}` : answer.verdict);
  compare('egress', answer.egress?.verdict ?? 'none');
  compare('ingress', answer.ingress?.verdict ?? 'none');
  compare('l7', answer.l7 ?? 'none');
  const named = new Set([...(answer.egress?.policies ?? []), ...(answer.ingress?.policies ?? [])]);
  const wanted = (test['by'] as string | string[] | undefined) ?? [];
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
