/** `sluice policy validate`: every problem of every document, for people, editors and CI. */
import { hasErrors, type Problem } from '../../policy/rule/problems.ts';
import { printDocument } from '../terminal/output.ts';
import { counted } from '../terminal/counted.ts';
import { reportProblems } from '../objects/problems.ts';
import type { Settings } from '../terminal/settings.ts';
import { loadPolicyConfig } from './config.ts';
import { lint } from '../../explain/lint.ts';
import { validationOf } from '../../explain/validation.ts';
import { type Manifests, readPolicyManifests } from './manifests.ts';
import { PolicyWorld } from '../../explain/world.ts';

export interface ValidateOptions {
  readonly config?: string;
  readonly semantics?: 'cilium' | 'kubernetes';
  /** Warnings count as errors. */
  readonly strict?: boolean;
  /** Only what a document says by itself, nothing of how documents act together. */
  readonly alone?: boolean;
}

/** Prints what is wrong. @returns whether everything is valid */
export async function validate(
  settings: Settings,
  paths: readonly string[],
  options: ValidateOptions,
): Promise<boolean> {
  const config = loadPolicyConfig(options.config, options.semantics);
  const manifests = await readPolicyManifests(settings.host, paths, config);
  const problems = [...manifests.problems];
  if (options.alone !== true) {
    const world = new PolicyWorld(manifests.documents, config);
    problems.push(...world.conflicts, ...lint(world));
  }
  const isValid = options.strict === true ? problems.length === 0 : !hasErrors(problems);
  await print(settings, manifests, problems, isValid);
  return isValid;
}

async function print(
  settings: Settings,
  manifests: Manifests,
  problems: readonly Problem[],
  isValid: boolean,
): Promise<void> {
  const { host, output } = settings;
  if (output === 'github') {
    host.stdout.write(problems.map(annotation).join(''));
  } else if (output === 'sarif') {
    host.stdout.write(`${JSON.stringify(await sarif(problems), undefined, 2)}\n`);
  } else if (output === 'table') {
    reportProblems({ ...host, stderr: host.stdout }, problems);
    const errors = problems.filter(({ severity }) => severity === 'error').length;
    const counts = `${counted(errors, 'error')}, ${counted(problems.length - errors, 'warning')}`;
    const what = `${counted(manifests.documents.length, 'document')} in ${counted(manifests.files.length, 'file')}`;
    host.stdout.write(`${isValid ? 'valid' : 'invalid'}: ${what}: ${counts}\n`);
  } else {
    await printDocument(settings, validationOf(manifests.documents, problems, isValid));
  }
}

/** A workflow command of GitHub Actions, which shows the problem at its line of the change. */
function annotation({ severity, file, line, column, code, message, hint }: Problem): string {
  const text = hint === undefined ? message : `${message} (${hint})`;
  const place = `file=${property(file)},line=${line},col=${column},title=${property(code)}`;
  return `::${severity} ${place}::${escapePercent(text)}\n`;
}

function escapePercent(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return escapePercent(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** SARIF 2.1.0 (OASIS), as code scanning services take it. */
async function sarif(problems: readonly Problem[]): Promise<unknown> {
  const { VERSION } = await import('../../linux/version.ts');
  const rules = [...new Set(problems.map(({ code }) => code))].sort().map((id) => ({ id }));
  const results = problems.map(({ code, severity, message, hint, file, line, column }) => ({
    ruleId: code,
    level: severity,
    message: { text: hint === undefined ? message : `${message} (${hint})` },
    locations: [
      { physicalLocation: { artifactLocation: { uri: file }, region: { startLine: line, startColumn: column } } },
    ],
  }));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'sluice policy validate', version: VERSION, rules } }, results }],
  };
}
