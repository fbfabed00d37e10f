/** Reading logs: the last lines over two files, parts of lines, times, and following over a turn of the files. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type LogRequest, readLogs } from './logs.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-logs-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, '0.log');

const line = (second: number, text: string, tag = 'F', stream = 'stdout'): string =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000000Z ${stream} ${tag} ${text}\n`;

async function read(request: LogRequest, goesOn: () => boolean = () => false): Promise<string> {
  let text = '';
  for await (const part of readLogs(path, request, goesOn)) text += Buffer.from(part).toString('utf8');
  return text;
}

t.test('lines are read as they are asked for', async (t) => {
  writeFileSync(`${path}.1`, line(1, 'one') + line(2, 'two'));
  writeFileSync(
    path,
    line(3, 'thr', 'P') + line(3, 'ee') + line(4, 'four words here', 'F', 'stderr') + line(5, 'end', 'P'),
  );
  t.equal(await read({}), 'one\ntwo\nthree\nfour words here\nend');
  t.equal(await read({ tailLines: 0 }), '');
  t.equal(await read({ tailLines: 1 }), 'end');
  t.equal(await read({ tailLines: 5 }), 'two\nthree\nfour words here\nend');
  t.equal(await read({ tailLines: 100 }), 'one\ntwo\nthree\nfour words here\nend');
  t.equal(await read({ limitBytes: 6 }), 'one\ntw');
  t.equal(await read({ sinceTime: '2026-01-01T00:00:04Z' }), 'four words here\nend');
  t.equal(await read({ sinceTime: 'never' }), '', 'a time that is none');
  t.equal(
    await read({ timestamps: true, tailLines: 2 }),
    '2026-01-01T00:00:04.000000000Z four words here\n2026-01-01T00:00:05.000000000Z end',
  );
  writeFileSync(path, `broken\n\n${line(6, 'whole')}cut`);
  t.equal(await read({ tailLines: 2 }), 'whole\n', 'what is no line is left out');
});

t.test('following goes from file to file, and ends with the container', async (t) => {
  rmSync(`${path}.1`, { force: true });
  writeFileSync(path, line(1, 'a'));
  let isRunning = true;
  let text = '';
  const seen = async (wanted: string): Promise<void> => {
    while (text !== wanted) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const following = (async () => {
    for await (const part of readLogs(path, { follow: true }, () => isRunning))
      text += Buffer.from(part).toString('utf8');
  })();
  await seen('a\n');
  appendFileSync(path, line(2, 'b').slice(0, 20));
  appendFileSync(path, line(2, 'b').slice(20));
  await seen('a\nb\n');
  appendFileSync(path, line(3, 'c'));
  renameSync(path, `${path}.1`);
  writeFileSync(path, line(4, 'd'));
  await seen('a\nb\nc\nd\n');
  appendFileSync(path, line(5, 'last'));
  isRunning = false;
  await following;
  t.equal(text, 'a\nb\nc\nd\nlast\n');
});

t.test('who does not follow has what was there when they asked, however much is written meanwhile', async (t) => {
  rmSync(`${path}.1`, { force: true });
  writeFileSync(path, line(1, 'one') + line(2, 'two'));
  for (const [request, wanted] of [
    [{}, 'one\ntwo\n'],
    [{ tailLines: 1 }, 'three\n'],
  ] as const) {
    let text = '';
    for await (const part of readLogs(path, request, () => true)) {
      text += Buffer.from(part).toString('utf8');
      appendFileSync(path, line(3, 'three'));
    }
    t.equal(text, wanted);
  }
});
