import t from 'tap';
import { CronSchedule } from './cron-schedule.ts';

const at = (time: string): number => Date.parse(time);
const next = (schedule: string, after: string, timeZone = 'UTC'): string => {
  const ms = new CronSchedule(schedule, timeZone).next(at(after));
  return ms === undefined ? 'never' : new Date(ms).toISOString().slice(0, 16);
};

t.test('fields, names, lists, ranges, steps, macros', (t) => {
  const cases: [string, string, string][] = [
    ['* * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:01'],
    ['* * * * *', '2026-01-01T00:00:59.999Z', '2026-01-01T00:01'],
    ['*/15 * * * *', '2026-01-01T00:46:00Z', '2026-01-01T01:00'],
    ['5,10-12 3 * * *', '2026-01-01T03:10:00Z', '2026-01-01T03:11'],
    ['10/20 * * * *', '2026-01-01T00:31:00Z', '2026-01-01T00:50'],
    ['0 0 1 jan *', '2026-01-01T00:00:00Z', '2027-01-01T00:00'],
    ['0 9 * * MON-FRI', '2026-01-02T09:00:00Z', '2026-01-05T09:00'],
    ['0 9 * * 7', '2026-01-01T00:00:00Z', '2026-01-04T09:00'],
    ['0 0 29 2 *', '2026-01-01T00:00:00Z', '2028-02-29T00:00'],
    ['0 0 30 2 *', '2026-01-01T00:00:00Z', 'never'],
    // Either day is enough when both are limited.
    ['0 0 13 * fri', '2026-01-03T00:00:00Z', '2026-01-09T00:00'],
    ['0 0 13 * ?', '2026-01-03T00:00:00Z', '2026-01-13T00:00'],
    ['@hourly', '2026-01-01T00:30:00Z', '2026-01-01T01:00'],
    ['@weekly', '2026-01-01T00:30:00Z', '2026-01-04T00:00'],
    [' @daily ', '2026-01-01T00:30:00Z', '2026-01-02T00:00'],
  ];
  for (const [schedule, after, wanted] of cases) t.equal(next(schedule, after), wanted, `${schedule} after ${after}`);
  t.end();
});

t.test('time zones, and the days on which clocks change', (t) => {
  t.equal(next('0 9 * * *', '2026-01-01T00:00:00Z', 'Europe/Berlin'), '2026-01-01T08:00');
  t.equal(next('0 9 * * *', '2026-07-01T00:00:00Z', 'Europe/Berlin'), '2026-07-01T07:00');
  t.equal(next('30 23 * * *', '2026-01-01T22:00:00Z', 'Pacific/Kiritimati'), '2026-01-02T09:30');
  // 02:30 does not come on 29 March; it comes once on 25 October.
  t.equal(next('30 2 * * *', '2026-03-28T12:00:00Z', 'Europe/Berlin'), '2026-03-30T00:30');
  const first = next('30 2 * * *', '2026-10-24T12:00:00Z', 'Europe/Berlin');
  t.equal(first, '2026-10-25T00:30');
  t.equal(next('30 2 * * *', `${first}:00Z`, 'Europe/Berlin'), '2026-10-26T01:30');
  t.end();
});

t.test('what is no schedule says so', (t) => {
  for (const bad of [
    '',
    '* * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 8',
    '5-1 * * * *',
    '*/0 * * * *',
    'x * * * *',
    '*-5 * * * *',
    '1,,2 * * * *',
    'TZ=UTC * * * * *',
  ]) {
    t.throws(() => new CronSchedule(bad, 'UTC'), SyntaxError, bad);
  }
  t.throws(() => new CronSchedule('* * * * *', 'Mars/Base'), RangeError);
  t.end();
});
