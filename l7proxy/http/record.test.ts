/** What access-log records say of requests. */
import t from 'tap';
import type { AccessLog } from '../../wire/access-log.ts';
import { CONNECT, GET, HttpWire } from '../../test/stream/http-wire.ts';
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
