/**
 * Benches that need no rig: programs NAME*.bench.ts anywhere in the tree. Each prints what it likes; a line that is a JSON
 * object {"metric", "value", "unit"} becomes a figure of the report.
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PACKAGE_ROOT } from '../linux/package-root.ts';
import { run } from '../test/command.ts';
import type { Build } from './builds.ts';
import type { Results } from './series.ts';

/** Compiled benches of a tree whose file name begins with `part`. */
function benchFiles(dist: string, part: string): string[] {
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.bench.js') && basename(file).startsWith(part)).sort();
}

/**
 * Runs the benches of every part, with the garbage collector exposed: once, or with another build beside it in turn, a round each.
 * @throws Error when a part has no bench
 */
export async function runProgramBenches(
  parts: readonly string[],
  rounds: number,
  results: Results,
  other?: Build,
): Promise<void> {
  const [ours, theirs] = [join(PACKAGE_ROOT, 'dist'), other === undefined ? '' : join(other.root, 'dist')];
  for (const part of parts) {
    if (benchFiles(ours, part).length === 0) throw new Error(`no part and no bench is called ${part}`);
    await runBenches(ours, part, 'sluice', results);
    if (other === undefined) continue;
    await runBenches(theirs, part, `sluice@${other.commit}`, results);
    for (let round = 1; round < rounds; round++) {
      await runBenches(ours, part, 'sluice', results);
      await runBenches(theirs, part, `sluice@${other.commit}`, results);
    }
  }
}

async function runBenches(dist: string, part: string, subject: string, results: Results): Promise<void> {
  for (const file of benchFiles(dist, part)) {
    const argv = [process.execPath, '--expose-gc', '--enable-source-maps', join(dist, file), '--json'];
    const { code, stdout, stderr } = await run(argv, { timeoutMs: 600_000 });
    if (code !== 0) throw new Error(`${file}: exit ${code}: ${stderr.trim()}`);
    for (const line of stdout.split('\n')) {
      const figure = line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : undefined;
      if (figure?.['metric'] !== undefined)
        results.add(subject, String(figure['metric']), Number(figure['value']), String(figure['unit'] ?? ''));
      else if (line !== '') console.error(`  ${line}`);
    }
  }
}
