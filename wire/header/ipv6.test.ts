import t from 'tap';
import { hex } from '../../test/packets.ts';
import { Frame } from '../frame.ts';
import * as ipv6 from './ipv6.ts';

const V6_A = [0x20010db8, 0, 0, 1];
const V6_B = [0x20010db8, 0, 0, 0x0a0b0c0d];

t.test('ipv6.walkExtensions()', (t) => {
  const packet = (next: number, ...parts: string[]) => {
    const chain = hex(parts.join(''));
    const bytes = new Uint8Array(40 + chain.length);
    ipv6.emit(bytes, 0, { src: V6_A, dst: V6_B, nextHeader: next, payloadLength: chain.length });
    bytes.set(chain, 40);
    return bytes;
  };
  const walked = (bytes: Uint8Array) => {
    const f = new Frame(bytes);
    const protocol = ipv6.walkExtensions(bytes, 0, bytes.length, f);
    return [protocol, f.l4Offset, f.isFragment, f.isFirstFragment, f.fragmentId];
  };
  const pad = '000104' + '00000000'; // PadN, 6 bytes, completes an options header
  const tcpBytes = '00'.repeat(20);
  t.same(walked(packet(6, tcpBytes)), [6, 40, false, false, 0], 'no extension header');
  t.same(walked(packet(0, `06${pad}`, tcpBytes)), [6, 48, false, false, 0], 'hop-by-hop first');
  t.same(walked(packet(60, `3c${pad}`, `06${pad}`, tcpBytes)), [6, 56, false, false, 0], 'two of the same');
  t.same(walked(packet(60, `00${pad}`, `06${pad}`, tcpBytes))[0], -1, 'hop-by-hop anywhere else is refused');
  t.same(walked(packet(43, '06000000' + '00000000', tcpBytes)), [6, 48, false, false, 0], 'a finished route');
  t.same(walked(packet(43, '06000001' + '00000000', tcpBytes))[0], -1, 'a route with a hop left is refused');
  t.same(walked(packet(51, '0604' + '00'.repeat(22), tcpBytes)), [6, 64, false, false, 0], 'AH counts words of 4');
  for (const [words, bytes] of [
    [0, 8],
    [1, 12],
    [3, 20],
  ]) {
    const ah = `06${words.toString(16).padStart(2, '0')}` + '00'.repeat(bytes - 2);
    t.same(
      walked(packet(51, ah, tcpBytes))[0],
      -1,
      `AH of ${bytes} bytes is shorter than its fields, or no multiple of 8`,
    );
  }
  t.same(walked(packet(44, '06000001' + 'deadbeef', tcpBytes)), [6, 48, true, true, 0xdeadbeef | 0], 'first fragment');
  t.same(walked(packet(44, '06000008' + '00000001', '0102')), [6, 48, true, false, 1], 'later fragment, last');
  t.same(walked(packet(44, '3c000109' + '00000001', '01')), [60, 48, true, false, 1], 'later fragment names its chain');
  t.same(
    walked(packet(44, '06000000' + '00000001', tcpBytes)),
    [6, 48, false, false, 1],
    'an atomic fragment is whole',
  );
  t.same(walked(packet(44, '2c000000' + '00000001', '06000000' + '00000001', tcpBytes))[0], -1, 'two fragment headers');
  t.same(walked(packet(60, `3b${pad}`)), [59, 48, false, false, 0], 'no next header');
  t.same(walked(packet(50, tcpBytes)), [50, 40, false, false, 0], 'ESP ends the walk');
  t.same(walked(packet(60, '06ff' + '00'.repeat(30)))[0], -1, 'a header longer than the packet');
  t.same(walked(packet(60, '06'))[0], -1, 'a header cut short');
  t.same(walked(packet(60, ...new Array<string>(8).fill(`3c${pad}`), `06${pad}`, tcpBytes))[0], -1, 'nine headers');
  t.same(walked(packet(60, ...new Array<string>(7).fill(`3c${pad}`), `06${pad}`, tcpBytes))[0], 6, 'eight headers');
  t.end();
});
