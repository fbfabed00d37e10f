/** Versions of requests that clients are offered, and those that nobody may use. */
import t from 'tap';
import { answer, int16, int32, KafkaWorld, request, string16 } from '../../test/kafka/kafka-world.ts';
import { REQUEST, RESPONSE } from '../parser.ts';

const OWNER_OF_WORKLOAD = {
  ...{ slot: 1, slotGeneration: 2, egressRuleSet: 0, ingressRuleSet: 1 },
  ...{ srcIdentity: 5, dstIdentity: 4000, srcEndpoint: 7, dstEndpoint: 8 },
};

t.test('clients are offered no version that is not read here', async (t) => {
  const entries = [
    [0, 3, 99],
    [1, 4, 18],
    [18, 0, 4],
    [99, 0, 7],
  ];
  const plain = entries.map((entry) => entry.map(int16).join('')).join('');
  const wire = new KafkaWorld(null).connect().request(request(18, 0, 1, ''));
  wire.response(answer(1, int16(0) + int32(4) + plain));
  const lowered = [[0, 3, 12], [1, 4, 12], ...entries.slice(2)].map((entry) => entry.map(int16).join('')).join('');
  t.equal(wire.out[RESPONSE], answer(1, int16(0) + int32(4) + lowered), 'outside, none with ids either');
  for (const odd of [
    `${int16(35)}\x01${plain}`,
    `${int16(0)}${int32(-1)}`,
    int16(0),
    `${int16(0)}${int32(9)}${plain}`,
  ]) {
    const passed = new KafkaWorld(null)
      .connect()
      .request(request(18, 0, 1, ''))
      .response(answer(1, odd));
    t.equal(passed.out[RESPONSE], answer(1, odd), 'what cannot be read goes on, and allows nothing');
  }
  const flexible = entries.map((entry) => `${entry.map(int16).join('')}\0`).join('');
  const other = new KafkaWorld(null).connect(OWNER_OF_WORKLOAD).request(request(18, 3, 1, '\0\x02a\x02b\0'));
  other.response(answer(1, `${int16(0)}\x05${flexible}${int32(0)}\0`));
  const kept = [[0, 3, 13], ...entries.slice(1)].map((entry) => `${entry.map(int16).join('')}\0`).join('');
  t.equal(other.out[RESPONSE], answer(1, `${int16(0)}\x05${kept}${int32(0)}\0`));
});

t.test(
  'SASL whose tokens would be no requests is refused in words, whatever rules say; later versions pass',
  async (t) => {
    for (const rules of [null, [{ topic: 'a' }]]) {
      const world = new KafkaWorld(rules);
      const wire = world.connect().request(request(17, 0, 1, string16('PLAIN')));
      t.equal(wire.out[REQUEST], '');
      t.equal(wire.out[RESPONSE], answer(1, int16(35) + int32(0)), 'UNSUPPORTED_VERSION');
      if (rules !== null) t.match(world.told, [{ verdict: 'Denied', what: /saslhandshake/ }]);
      const later = request(17, 1, 2, string16('PLAIN')) + request(36, 0, 3, `${int32(4)}\0a\0b`);
      wire.request(later);
      t.equal(wire.out[REQUEST], later);
    }
    const role = new KafkaWorld([{ role: 'produce' }]).connect().request(request(17, 0, 1, string16('PLAIN')));
    t.equal(role.out[RESPONSE], answer(1, int16(35) + int32(0)));
    role.request(request(17, 1, 2, string16('PLAIN')));
    t.ok(
      role.out[RESPONSE].endsWith(answer(2, int16(31) + int32(0))),
      'CLUSTER_AUTHORIZATION_FAILED: it is none of the role',
    );
  },
);

t.test('requests that are not read here are offered to those who may make them unread', async (t) => {
  // CreateAcls, ShareGroupHeartbeat, ShareFetch, one of the future, ApiVersions
  const keys = [30, 76, 78, 99, 18];
  const offered = (client: string, ...rules: object[]): number[] => {
    const flexible = keys.map((key) => `${int16(key)}${int16(0)}${int16(1)}\0`).join('');
    const wire = new KafkaWorld(rules).connect(OWNER_OF_WORKLOAD);
    wire.request(request(18, 3, 1, '\0\x02a\x02b\0', client));
    wire.response(answer(1, `${int16(0)}\x06${flexible}${int32(7)}\0`));
    const bytes = Buffer.from(wire.out[RESPONSE], 'latin1');
    const count = bytes[10] - 1;
    t.equal(bytes.length, 4 + bytes.readUInt32BE(0));
    t.equal(bytes.toString('latin1', 11 + 7 * count), `${int32(7)}\0`, 'what is behind the list');
    return Array.from({ length: count }, (_, i) => bytes.readUInt16BE(11 + 7 * i));
  };
  t.strictSame(offered('c', {}), keys);
  t.strictSame(offered('c', { topic: 'a' }), [30, 76, 18], 'what has nothing to do with topics');
  t.strictSame(offered('c', { role: 'produce', topic: 'a' }), [30, 18]);
  t.strictSame(offered('c', { role: 'consume' }), [30, 18]);
  t.strictSame(offered('c', { topic: 'a' }, { clientID: 'admin' }), [30, 76, 18]);
  t.strictSame(offered('admin', { topic: 'a' }, { clientID: 'admin' }), keys);
  const wire = new KafkaWorld([{ topic: 'a' }]).connect(OWNER_OF_WORKLOAD).request(request(18, 0, 1, ''));
  const plain = keys.map((key) => int16(key) + int16(0) + int16(1)).join('');
  wire.response(answer(1, int16(0) + int32(keys.length) + plain));
  const left = [30, 76, 18].map((key) => int16(key) + int16(0) + int16(1)).join('');
  t.equal(wire.out[RESPONSE], answer(1, int16(0) + int32(3) + left), 'the versions without compact lengths');
});
