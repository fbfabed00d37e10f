/** The zone file: written in one for what comes at once, and never while the one before is being read. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { ZoneWriter } from './zone-writer.ts';

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const limit = Date.now() + 10_000; !isSo(); await pause(2))
    if (Date.now() > limit) throw new Error(`waited for: ${what}`);
}

t.test('a file that is being read has no successor until it was', async (t) => {
  const folder = mkdtempSync('/tmp/slzone-');
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'dns/zone');
  let content = 'one';
  const told: string[] = [];
  const readers: (() => void)[] = [];
  const writer = new ZoneWriter({
    path,
    text: () => content,
    onWritten: (problem) => {
      told.push(problem);
      return new Promise((resolve) => readers.push(resolve));
    },
  });
  writer.touch();
  writer.touch();
  await until('the first file', () => readers.length === 1);
  t.equal(readFileSync(path, 'utf8'), 'one');
  for (content of ['two', 'three']) {
    writer.touch();
    await pause(30); // it has time for what it must not do
  }
  t.equal(readFileSync(path, 'utf8'), 'one', 'it is read still');
  readers[0]();
  await until('the next file', () => readers.length === 2);
  t.equal(readFileSync(path, 'utf8'), 'three');
  writer.touch();
  await writer.stop();
  readers[1]();
  await pause(30);
  t.strictSame([readFileSync(path, 'utf8'), told], ['three', ['', '']], 'nothing after stop()');
});

t.test('the zone file is replaced whole, a moment after the last change', async (t) => {
  const folder = mkdtempSync('/tmp/slzone-');
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'dns/zone');
  const serials: number[] = [];
  let onNext: (problem: string) => void = () => {};
  const next = () => new Promise<string>((resolve) => (onNext = resolve));
  const text = (serial: number) => {
    serials.push(serial);
    return `zone ${serials.length}\n`;
  };
  const writer = new ZoneWriter({ path, text, onWritten: async (problem) => onNext(problem) });
  let written = next();
  writer.touch();
  writer.touch();
  t.equal(await written, '');
  t.equal(readFileSync(path, 'utf8'), 'zone 1\n', 'once for two changes');
  written = next();
  writer.touch();
  t.equal(await written, '');
  t.ok(serials[1] > serials[0]);
  rmSync(join(folder, 'dns'), { recursive: true });
  writeFileSync(join(folder, 'dns'), 'in the way');
  written = next();
  writer.touch();
  t.match(await written, /^write .*zone: /);
  writer.touch();
  await writer.stop();
  writer.touch();
  t.equal(existsSync(`${path}.new`), false);
});
