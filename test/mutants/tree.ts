/**
 * A copy of the repository with what it was built into, in which mutants are tried: sources, compiled files and addon are
 * copied, packages are linked to. The working tree is only read.
 *
 * A mutated TypeScript file is compiled by itself (the compiler's `isolatedModules` promises that this is enough), which
 * takes milliseconds; a mutated C file builds the addon anew. Tests of test/netns run the bundled programs, so for them
 * these are bundled anew. What a mutant changed is put back when its tests are through.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { must, run } from '../command.ts';
import type { Mutant } from './mutant.ts';

/** The repository, seen from the compiled files. */
export const ROOT = join(import.meta.dirname, '../../..');

const ADDON = 'dataplane/native/build';
const PROGRAMS = 'dist/bin';
const LIMIT_MS = 300_000;

/** What became of a test file. */
export interface Outcome {
  /** It ran to its end, and all was well. */
  readonly isGood: boolean;
  /** Tests that said "not ok". */
  readonly failures: readonly string[];
  readonly output: string;
}

/** @returns `text` with the mutant's edit @throws Error when the text to change does not occur exactly once */
export function mutate(mutant: Mutant, text: string): string {
  const count = text.split(mutant.was).length - 1;
  if (count !== 1) {
    throw new Error(`mutant ${mutant.name}: found its old text ${count} times in ${mutant.file}, wanted it once`);
  }
  return text.replace(mutant.was, () => mutant.is);
}

export class MutantTree {
  readonly #dir: string;
  readonly #options: ts.CompilerOptions;
  /** Test files that are good without any mutant. */
  readonly #sound = new Map<string, Outcome>();

  private constructor(dir: string) {
    this.#dir = dir;
    const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
    const { target, sourceMap, ...options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT).options;
    // A file by itself has no package.json that says that it is a module.
    const { isolatedModules, verbatimModuleSyntax, rewriteRelativeImportExtensions } = options;
    const rules = { isolatedModules, verbatimModuleSyntax, rewriteRelativeImportExtensions };
    this.#options = { target, sourceMap, ...rules, module: ts.ModuleKind.ESNext } as ts.CompilerOptions;
  }

  /** Makes the copy, in a directory of its own for temporary files. */
  static async make(): Promise<MutantTree> {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-mutants-'));
    const files = await must(['git', '-C', ROOT, 'ls-files', '-co', '--exclude-standard']);
    for (const file of files.split('\n').filter((name) => name !== '' && existsSync(join(ROOT, name)))) {
      mkdirSync(join(dir, dirname(file)), { recursive: true });
      cpSync(join(ROOT, file), join(dir, file), { preserveTimestamps: true });
    }
    for (const made of ['dist', ADDON]) {
      cpSync(join(ROOT, made), join(dir, made), { recursive: true, preserveTimestamps: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
    return new MutantTree(dir);
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** How a test file ends without a mutant: asked once. */
  async baseline(testFile: string): Promise<Outcome> {
    const known = this.#sound.get(testFile);
    if (known !== undefined) return known;
    const outcome = await this.#runTest(testFile);
    this.#sound.set(testFile, outcome);
    return outcome;
  }

  /**
   * Runs the tests of a mutant with it in place.
   * @returns what became of each, in the order of `killedBy`
   * @throws Error when the edit does not apply or what it makes does not build
   */
  async tryOut(mutant: Mutant): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    const restore = await this.#apply(mutant);
    try {
      for (const testFile of mutant.killedBy) outcomes.push(await this.#runTest(testFile));
    } finally {
      restore();
    }
    return outcomes;
  }

  async #apply(mutant: Mutant): Promise<() => void> {
    const source = join(this.#dir, mutant.file);
    const original = readFileSync(source, 'utf8');
    const mutated = mutate(mutant, original);
    const kept = [mutant.file.endsWith('.c') ? ADDON : compiledName(mutant.file)];
    const needsPrograms = mutant.killedBy.some((file) => file.startsWith('test/netns/'));
    if (needsPrograms) kept.push(PROGRAMS);
    for (const path of kept) {
      cpSync(join(this.#dir, path), join(this.#dir, `${path}.kept`), { recursive: true, preserveTimestamps: true });
    }
    const restore = () => {
      writeFileSync(source, original);
      for (const path of kept) {
        rmSync(join(this.#dir, path), { recursive: true });
        cpSync(join(this.#dir, `${path}.kept`), join(this.#dir, path), { recursive: true, preserveTimestamps: true });
        rmSync(join(this.#dir, `${path}.kept`), { recursive: true });
      }
    };
    try {
      writeFileSync(source, mutated);
      if (mutant.file.endsWith('.c')) await this.#node('dataplane/native/build.mjs', '--force');
      else this.#compile(mutant, original, mutated);
      if (needsPrograms) await this.#node('scripts/bundle.mjs');
    } catch (error) {
      restore();
      throw error;
    }
    return restore;
  }

  #compile(mutant: Mutant, original: string, mutated: string): void {
    const path = join(this.#dir, compiledName(mutant.file));
    if (this.#emit(mutant.file, original) !== readFileSync(path, 'utf8')) {
      throw new Error(
        `mutant ${mutant.name}: ${compiledName(mutant.file)} is not what the source compiles to: build first`,
      );
    }
    writeFileSync(path, this.#emit(mutant.file, mutated));
  }

  #emit(fileName: string, text: string): string {
    const { outputText, diagnostics = [] } = ts.transpileModule(text, {
      fileName,
      compilerOptions: this.#options,
      reportDiagnostics: true,
    });
    if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, HOST));
    return outputText;
  }

  async #node(...args: string[]): Promise<void> {
    await must([process.execPath, ...args], { cwd: this.#dir, timeoutMs: LIMIT_MS });
  }

  async #runTest(testFile: string): Promise<Outcome> {
    const argv = [process.execPath, '--expose-gc', '--enable-source-maps', compiledName(testFile)];
    // Longer than our own limit: a test that hangs says nothing, which is no "not ok".
    const env = { TAP: '1', TAP_TIMEOUT: '3600' };
    const { code, stdout, stderr } = await run(argv, { cwd: this.#dir, env, timeoutMs: LIMIT_MS });
    const failures = [...stdout.matchAll(/^not ok \d+ - (.*?)(?: # time=.*)?(?: \{)?$/gm)].map(([, name]) => name);
    const isGood = code === 0 && failures.length === 0 && /^1\.\.[1-9]/m.test(stdout);
    return { isGood, failures, output: stdout + stderr };
  }
}

const compiledName = (file: string) => join('dist', file.replace(/\.ts$/, '.js'));

const HOST: ts.FormatDiagnosticsHost = {
  getCanonicalFileName: (name) => name,
  getCurrentDirectory: () => ROOT,
  getNewLine: () => '\n',
};
