/** The parser of HTTP/1.x at its limits, and over a restart. */
import t from 'tap';
import { BAD, DENIED, GET, HttpWire, OK } from '../../test/stream/http-wire.ts';
import { Operations, REQUEST, RESPONSE } from '../parser.ts';
import { MAX_OUTSTANDING } from './syntax.ts';

t.test(
  'onData() holds requests back beyond the limit of unanswered ones, and lets them go as answers come',
  async (t) => {
    const wire = new HttpWire().request(GET.repeat(MAX_OUTSTANDING + 5));
    t.equal(wire.out[REQUEST], GET.repeat(MAX_OUTSTANDING));
    wire.response(OK);
    t.equal(wire.out[REQUEST], GET.repeat(MAX_OUTSTANDING + 1));
    wire.response(OK.repeat(MAX_OUTSTANDING));
    t.equal(wire.out[REQUEST], GET.repeat(MAX_OUTSTANDING + 5));
  },
);

t.test('onData() refuses a head cut off by the end of the stream', async (t) => {
  const wire = new HttpWire().send(REQUEST, GET.slice(0, -2), true);
  t.same([wire.out[REQUEST], wire.errors, wire.isClosed], ['', ['truncated'], true]);
});

t.test('onData() takes time in proportion to a head that drips', async (t) => {
  const wire = new HttpWire();
  const head = `GET /ok HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
  let parsed = 0;
  const operations = new Operations();
  const bytes = Buffer.from(head);
  const view = new Proxy(bytes, {
    get(target, key) {
      parsed++;
      const value = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  for (let end = 1; end <= bytes.length; end++) {
    operations.clear();
    wire.parser.onData(REQUEST, view, 0, end, false, operations);
  }
  t.equal(operations.count, 1);
  t.ok(parsed < bytes.length * 20, `${parsed} looks at ${bytes.length} bytes`);
});

t.test('saveState() and loadState() carry a parser over', async (t) => {
  const words = new Int32Array(8);
  const before = new HttpWire().request(GET + GET.replace('GET', 'HEAD'));
  t.ok(before.parser.saveState(words, 3));
  const after = new HttpWire();
  t.ok(after.parser.loadState(words, 3));
  after.response(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n`).request(BAD);
  t.equal(after.out[RESPONSE], `${OK}HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n${DENIED}`);
  t.notOk(new HttpWire().request(GET + BAD).parser.saveState(words, 0), 'not with a reply of ours in the queue');
  t.notOk(new HttpWire().request(GET.repeat(5)).parser.saveState(words, 0), 'not with five requests');
  words[0] = 5;
  t.notOk(after.parser.loadState(words, 0), 'not five entries');
});
