/**
 * Benches that need no rig: programs NAME*.bench.ts anywhere in the tree. Each prints what it likes; a line that is a JSON
 * object {"metric", "value", "unit"} becomes a figure of the report.
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../test/command.ts';
import type { Results } from './series.ts';

const DIST = join(import.meta.dirname, '..');

/** Compiled benches whose file name begins with `part`. */
function benchFiles(part: string): string[] {
  const files = readdirSync(DIST, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.bench.js') && basename(file).startsWith(part)).sort();
}

/** Runs the benches of every part, with the garbage collector exposed. Throws when a part has no bench. */
export async function runProgramBenches(parts: readonly string[], results: Results): Promise<void> {
  for (const part of parts) {
    const files = benchFiles(part);
    if (files.length === 0) throw new Error(`no part and no bench is called ${part}`);
    for (const file of files) {
      const argv = [process.execPath, '--expose-gc', '--enable-source-maps', join(DIST, file)];
      const { code, stdout, stderr } = await run(argv, { timeoutMs: 600_000 });
      if (code !== 0) throw new Error(`${file}: exit ${code}: ${stderr.trim()}`);
      for (const line of stdout.split('\n')) {
        const figure = line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : undefined;
        if (figure?.['metric'] !== undefined)
          results.add('sluice', String(figure['metric']), Number(figure['value']), String(figure['unit'] ?? ''));
        else if (line !== '') console.error(`  ${line}`);
      }
    }
  }
}
