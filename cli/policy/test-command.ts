/** `sluice policy test` */
import { writeFileSync } from 'node:fs';
import { printDocument } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { loadPolicyConfig } from './config.ts';
import { filesUnder } from './manifests.ts';
import { runSuite, type SuiteResult } from './suite.ts';
import { junit, tap } from './test-report.ts';

export interface TestFlags {
  readonly config?: string;
  readonly semantics?: 'cilium' | 'kubernetes';
  /** File for JUnit XML, besides what is printed. */
  readonly junit?: string;
  /** A rule that decided no case is a failure. */
  readonly coverage?: boolean;
}

/** In folders, files of this name are test files. */
const TEST_FILE = /(^|[.-])test\.ya?ml$/;

/** Runs test files and folders of them. @returns whether everything passed */
export async function runTests(settings: Settings, paths: readonly string[], flags: TestFlags): Promise<boolean> {
  const config = loadPolicyConfig(flags.config, flags.semantics);
  const suites: SuiteResult[] = [];
  for (const file of paths.flatMap((path) => filesUnder(path, (name) => TEST_FILE.test(name), '*.test.yaml')))
    suites.push(await runSuite(settings.host, file, config));
  if (flags.junit !== undefined) writeFileSync(flags.junit, junit(suites));
  const { output, host } = settings;
  if (output === 'junit') host.stdout.write(junit(suites));
  else if (output === 'table' || output === 'tap') host.stdout.write(tap(suites));
  else await printDocument(settings, suites);
  const isPassed = suites.every((suite) => suite.cases.every(({ differences }) => differences.length === 0));
  return isPassed && (flags.coverage !== true || suites.every(({ unused }) => unused.length === 0));
}
