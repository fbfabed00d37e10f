import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readProto } from '../test/hubble/proto-json.ts';
import * as reasons from './reasons.ts';

const CONSTANTS = new Map(
  Object.entries(reasons).flatMap(([name, value]) =>
    /^DROP_/.test(name) && name !== 'DROP_MIN' ? [[value as number, name] as const] : [],
  ),
);

t.test('reasons: each has a name of its own, a text and a sentence, and a constant stands for one of them', (t) => {
  for (const [number, { name, text, sentence }] of Object.entries(reasons.REASONS)) {
    t.match(sentence, /^[A-Z].*\.$/, `${number} has a sentence`);
    t.ok(text.length > 0);
    t.match(name, /^[A-Z0-9_]+$/);
    t.equal(name === 'DROP_REASON_UNKNOWN', Number(number) < reasons.DROP_MIN);
  }
  const drops = Object.entries(reasons.REASONS).filter(([number]) => Number(number) >= reasons.DROP_MIN);
  t.equal(new Set(drops.map(([, { name }]) => name)).size, drops.length, 'names are unique');
  for (const [number, constant] of CONSTANTS) t.ok(number in reasons.REASONS, `${constant} has a row`);
  t.end();
});

t.test('reasonText(), reasonName() and reasonNumber() know every number and no other', (t) => {
  t.equal(reasons.reasonText(133), 'Policy denied');
  t.equal(reasons.reasonName(181), 'POLICY_DENY');
  t.equal(reasons.reasonText(159), '159', 'a number without a meaning prints as itself');
  t.equal(reasons.reasonName(159), 'DROP_REASON_UNKNOWN');
  t.equal(reasons.reasonNumber('policy_denied'), 133);
  t.equal(reasons.reasonNumber('DROP_REASON_UNKNOWN'), -1);
  t.end();
});

t.test('a reason has the name that flow.proto has for its number, or one of those beside it', (t) => {
  const proto = readFileSync(join(import.meta.dirname, '../../test/hubble/flow.proto'), 'utf8');
  const names = readProto(proto).enums.get('DropReason') ?? new Map<string, number>();
  t.ok(names.size > 70);
  for (const [text, { name, nearest }] of Object.entries(reasons.REASONS)) {
    const number = Number(text);
    if (number < reasons.DROP_MIN) continue;
    const theirs = reasons.hubbleReason(number);
    t.equal(names.get(reasons.reasonName(theirs)), theirs, `${text} goes out as ${theirs}`);
    if (nearest !== undefined) t.notOk(names.has(name), `${name} needs one beside it`);
  }
  for (const number of names.values()) t.ok(number === 0 || number in reasons.REASONS, `${number} has a row`);
  t.end();
});

t.test('wire/README.md has every reason as reasons.ts has it (UPDATE=1 writes it)', (t) => {
  const path = join(import.meta.dirname, '../../wire/README.md');
  const text = readFileSync(path, 'utf8');
  const rows = Object.entries(reasons.REASONS).map(([number, { name, text, sentence }]) => {
    const constant = CONSTANTS.get(Number(number));
    return `| ${number} | ${constant === undefined ? '' : `\`${constant}\``} | ${name} | ${text} | ${sentence} |`;
  });
  const head = '| number | constant | name in flows | text | what it means |\n|---|---|---|---|---|\n';
  const table = `${head}${rows.join('\n')}\n`;
  const start = text.indexOf('| number | constant |');
  const end = text.indexOf('\n\n', start) < 0 ? text.length : text.indexOf('\n\n', start) + 1;
  if (process.env['UPDATE'] === '1') writeFileSync(path, text.slice(0, start) + table + text.slice(end));
  else t.equal(text.slice(start, end), table);
  t.end();
});
