import t from 'tap';
import { TIME_MS } from '../test/events.ts';
import { icmpName } from './print/icmp-names.ts';
import { formatTime, parseMoment, rfc3339, TIME_FORMATS } from './time.ts';

t.test('time', (t) => {
  t.equal(rfc3339(TIME_MS), '2024-01-02T03:04:05.006Z');
  t.equal(rfc3339(TIME_MS - 6), '2024-01-02T03:04:05Z', 'no fraction, no digits');
  t.equal(rfc3339(TIME_MS + 0.125), '2024-01-02T03:04:05.006125Z');
  t.equal(rfc3339(TIME_MS + 0.9999), '2024-01-02T03:04:05.007Z', 'rounds to whole microseconds');
  t.same([Number.NaN, Infinity, 1e18, -1e18].map(rfc3339), ['', '', '', '']);
  const time = '2024-02-29T03:04:05.1205Z';
  t.same(
    TIME_FORMATS.map((format) => formatTime(time, format)),
    [
      'Feb 29 03:04:05.120',
      '2024-02-29',
      '2024-02-29T03Z',
      '2024-02-29T03:04Z',
      '2024-02-29T03:04:05Z',
      '2024-02-29T03:04:05.12Z',
      '2024-02-29T03:04:05.1205Z',
      '2024-02-29T03:04:05.1205Z',
      'Thu, 29 Feb 2024 03:04:05 +0000',
    ],
  );
  t.equal(formatTime(undefined, 'RFC3339'), 'N/A');
  t.same(
    [
      '5m',
      '1h30m',
      '1.5s',
      '2024-01-02',
      '2024-01-02T03Z',
      '2024-01-02T03:04+01:00',
      '2024-01-02T03:04:05.006Z',
      '1704164645',
    ].map((s) => parseMoment(s, TIME_MS)),
    [
      TIME_MS - 300_000,
      TIME_MS - 5_400_000,
      TIME_MS - 1500,
      1704153600000,
      1704164400000,
      1704161040000,
      TIME_MS,
      1704164645000,
    ],
  );
  for (const bad of ['', 'yesterday', '5', '5 minutes', '2024-13-01', 'm5']) {
    t.throws(() => parseMoment(bad, TIME_MS), { message: `failed to convert ${bad} to time` }, bad);
  }
  t.same(
    [icmpName(4, 42, 1), icmpName(4, 8, 7), icmpName(6, 1, 9), icmpName(6, 3, 0)],
    ['42(1)', 'EchoRequest(Code: 7)', 'DestinationUnreachable(Code: 9)', 'TimeExceeded(HopLimitExceeded)'],
  );
  t.end();
});
