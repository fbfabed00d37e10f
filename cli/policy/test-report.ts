/** Results of policy test files as TAP 14, as JUnit XML, and in words. */
import { originText } from '../../policy/rule/rule.ts';
import type { CaseResult, SuiteResult } from './suite.ts';

/** TAP, a subtest for each file; rules that decided nothing are diagnostics. */
export function tap(suites: readonly SuiteResult[]): string {
  const lines = ['TAP version 14', `1..${suites.length}`];
  for (const [at, suite] of suites.entries()) {
    lines.push(`# Subtest: ${suite.name}`, `    1..${suite.cases.length}`);
    for (const [number, one] of suite.cases.entries()) lines.push(...caseLines(suite, one, number + 1));
    for (const origin of suite.unused) lines.push(`    # rule never decided any case: ${originText(origin)}`);
    const isPassed = suite.cases.every(({ differences }) => differences.length === 0);
    lines.push(`${isPassed ? 'ok' : 'not ok'} ${at + 1} - ${suite.name}`);
  }
  lines.push(`# ${summary(suites)}`);
  return `${lines.join('\n')}\n`;
}

/** A failure shows what was wanted and found as a diff does. */
function caseLines({ file }: SuiteResult, { name, line, differences, answer }: CaseResult, number: number): string[] {
  if (differences.length === 0) return [`    ok ${number} - ${name}`];
  const deciding = [answer.egress, answer.ingress].flatMap((side) => side?.policies ?? []);
  return [
    `    not ok ${number} - ${name}`,
    '      ---',
    `      at: ${file}:${line}`,
    '      diff: |',
    ...differences.flatMap(({ what, wanted, found }) => [`        -${what}: ${wanted}`, `        +${what}: ${found}`]),
    `      decidedBy: ${JSON.stringify([...new Set(deciding)])}`,
    '      ...',
  ];
}

/** `12 passed, 1 failed; 9 of 10 rules decided a case` */
function summary(suites: readonly SuiteResult[]): string {
  const cases = suites.flatMap((suite) => suite.cases);
  const failed = cases.filter(({ differences }) => differences.length > 0).length;
  const rules = suites.reduce((sum, suite) => sum + suite.rules, 0);
  const unused = suites.reduce((sum, suite) => sum + suite.unused.length, 0);
  return `${cases.length - failed} passed, ${failed} failed; ${rules - unused} of ${rules} rules decided a case`;
}

/** JUnit XML as CI services read it. */
export function junit(suites: readonly SuiteResult[]): string {
  const blocks = suites.map((suite) => {
    const failures = suite.cases.filter(({ differences }) => differences.length > 0).length;
    const cases = suite.cases.map((one) => junitCase(suite, one));
    const head = `<testsuite name="${xml(suite.name)}" tests="${suite.cases.length}" failures="${failures}">`;
    return `${head}\n${cases.join('\n')}\n</testsuite>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${blocks.join('\n')}\n</testsuites>\n`;
}

function junitCase(suite: SuiteResult, { name, line, differences }: CaseResult): string {
  const attributes = `name="${xml(name)}" classname="${xml(suite.name)}" file="${xml(suite.file)}" line="${line}"`;
  if (differences.length === 0) return `  <testcase ${attributes}/>`;
  const text = differences.map(({ what, wanted, found }) => `${what}: wanted ${wanted}, found ${found}`).join('\n');
  return `  <testcase ${attributes}><failure message="${xml(text.split('\n')[0])}">${xml(text)}</failure></testcase>`;
}

function xml(text: string): string {
  const escaped = text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
  // Characters that XML 1.0 cannot hold at all.
  return escaped.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
}
