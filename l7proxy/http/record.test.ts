/** What access-log records say of requests. */
import t from 'tap';
import type { AccessLog } from '../../wire/access-log.ts';
import { CONNECT, GET, HttpWire, rulesOf } from '../../test/stream/http-wire.ts';
import { HttpRecords } from './record.ts';

t.test('the URL is host and path; of CONNECT it is the host that is asked for, once', (t) => {
  const told: AccessLog[] = [];
  const tell = (_owner: unknown, _isIngress: boolean, _cookie: number, log: AccessLog) => void told.push(log);
  const records = new HttpRecords({ isOn: true, nowMs: 0, tell });
  for (const request of [GET, CONNECT, 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n']) {
    new HttpWire(undefined, undefined, records).request(request);
  }
  t.strictSame(
    told.map(({ HTTP }) => HTTP?.URL),
    ['http://a/ok', 'http://db:1', 'http://a/*'],
  );
  t.end();
});

t.test('a header that is compared with a secret is told without its value, whoever sends it', async (t) => {
  const told: AccessLog[] = [];
  const tell = (_owner: unknown, _isIngress: boolean, _cookie: number, log: AccessLog) => void told.push(log);
  const records = new HttpRecords({ isOn: true, nowMs: 0, tell });
  const rules = rulesOf(
    { path: '/ok', headerMatches: [{ name: 'X-Token', value: 'right', isSecret: true, mismatch: 'REPLACE' }] },
    { path: '/no', headerMatches: [{ name: 'X-Token', value: 'right', isSecret: true }] },
  );
  for (const path of ['/ok', '/no']) {
    for (const value of ['right', 'wrong']) {
      const wire = new HttpWire(rules, undefined, records);
      wire.request(`GET ${path} HTTP/1.1\r\nHost: a\r\nx-tOKEN: ${value}\r\nX-Other: o\r\n\r\n`);
    }
  }
  t.strictSame(
    told.map(({ Verdict }) => Verdict),
    ['Forwarded', 'Forwarded', 'Forwarded', 'Denied'],
  );
  for (const { HTTP } of told) t.match(HTTP?.Headers, { 'X-Token': ['[redacted]'], 'X-Other': ['o'] });
  t.match(told[1].HTTP, {
    MissingHeaders: { 'X-Token': ['[redacted]'] },
    RejectedHeaders: { 'X-Token': ['[redacted]'] },
  });
  t.notMatch(JSON.stringify(told), /right|wrong/);
});
