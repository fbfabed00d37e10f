import t from 'tap';
import { hex } from '../../test/packets.ts';
import * as tcp from './tcp.ts';

t.test('tcp options', (t) => {
  const segment = (options: string) => {
    const list = hex(options);
    const bytes = new Uint8Array(20 + list.length);
    const fields = { srcPort: 1, dstPort: 2, seq: 0, ack: 0, flags: tcp.SYN, window: 0 };
    tcp.emit(bytes, 0, { ...fields, headerBytes: bytes.length });
    bytes.set(list, 20);
    return bytes;
  };
  const syn = segment('0204 05b4 0402 080a 00000001 fffffffe 01 0303 07');
  t.equal(tcp.mss(syn, 0), 1460);
  t.equal(tcp.windowScale(syn, 0), 7);
  t.ok(tcp.findOption(syn, 0, tcp.OPTION_SACK_PERMITTED) > 0);
  const stamp = tcp.timestamps(syn, 0);
  t.same([tcp.timestampValue(syn, stamp), tcp.timestampEcho(syn, stamp)], [1, -2]);
  t.ok(tcp.optionsAreValid(syn, 0));
  const acked = segment('0101 0512 00000001 00000005 ffffff00 ffffff10 0101');
  const sack = tcp.findOption(acked, 0, tcp.OPTION_SACK);
  t.same(
    [tcp.sackCount(acked, sack), tcp.sackLeft(acked, sack, 0), tcp.sackRight(acked, sack, 1)],
    [2, 1, -240],
    'SACK blocks',
  );
  tcp.setSackLeft(acked, sack, 1, 77);
  tcp.setSackRight(acked, sack, 1, 78);
  t.same([tcp.sackLeft(acked, sack, 1), tcp.sackRight(acked, sack, 1)], [77, 78], 'SACK blocks rewritten');
  tcp.blankOption(acked, sack);
  t.equal(tcp.firstOption(acked, 0), -1, 'a blanked option is gone');
  t.ok(tcp.optionsAreValid(acked, 0));
  for (const [name, options] of Object.entries({
    'length 0': '02000000',
    'length past the header': '02080000',
    'MSS of another length': '0203 00 01',
    'kind without length': '01010108',
    'half a SACK block': '0506 00000001 0101',
  })) {
    t.notOk(tcp.optionsAreValid(segment(options), 0), `${name} is not valid`);
    t.equal(tcp.mss(segment(options), 0), -1, `${name}: no MSS`);
  }
  t.ok(tcp.optionsAreValid(segment('00ffffff'), 0), 'nothing after the end counts');
  t.equal(tcp.windowScale(segment('030363 00'), 0), 14, 'a scale beyond 14 counts as 14');
  const bytes = segment('');
  tcp.setHeaderBytes(bytes, 0, 60);
  t.equal(tcp.headerBytes(bytes, 0), 60);
  t.end();
});
