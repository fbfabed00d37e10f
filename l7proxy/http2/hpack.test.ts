/**
 * HPACK: the examples of RFC 7541 appendix C; what nghttp2 (in Node) writes, with its table; what no encoder writes. SEED=n repeats
 * a run.
 */
import { createServer, connect as connectPlain, type Socket } from 'node:net';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { draws } from '../../test/stream/tcp-rig.ts';
import { FieldList, MAX_FIELDS } from './field-list.ts';
import { FrameWriter } from './frame-writer.ts';
import * as frames from './frames.ts';
import { BLOCK_BOMB, BLOCK_BROKEN, BLOCK_READ, HpackDecoder } from './hpack-decoder.ts';
import { decodeHuffman } from './huffman.ts';

const SEED = Number(process.env['SEED'] ?? 20240301);
t.comment(`seed ${SEED}`);

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

function listed(fields: FieldList): string[] {
  const text = (from: number, to: number) => Buffer.from(fields.bytes.slice(from, to)).toString('latin1');
  return Array.from(
    { length: fields.count },
    (_, i) =>
      `${text(fields.nameStart[i], fields.nameEnd[i])}: ${text(fields.valueStart[i], fields.valueEnd[i])}` +
      (fields.isNeverIndexed[i] === 1 ? ' !' : ''),
  );
}

const fields = new FieldList();

function read(decoder: HpackDecoder, block: Uint8Array): string[] | number {
  const outcome = decoder.decode(block, 0, block.length, fields);
  return outcome === BLOCK_READ ? listed(fields) : outcome;
}

function tableOf(decoder: HpackDecoder): string[] {
  const { table } = decoder;
  return Array.from({ length: table.count }, (_, i) => {
    const at = table.nameAt(i);
    const text = Buffer.from(table.text).toString('latin1');
    const value = at + table.nameBytes(i);
    return `${text.slice(at, value)}: ${text.slice(value, value + table.valueBytes(i))}`;
  });
}

const GET = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const DATE = 'date: Mon, 21 Oct 2013 20:13:21 GMT';
const LATER = 'date: Mon, 21 Oct 2013 20:13:22 GMT';
const COOKIE = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const REDIRECT = [':status: 302', 'cache-control: private', DATE, 'location: https://www.example.com'];

t.test('RFC 7541 C.2: one field of each kind', (t) => {
  const one = (block: string) => read(new HpackDecoder(), hex(block));
  t.strictSame(one('400a637573746f6d2d6b65790d637573746f6d2d686561646572'), ['custom-key: custom-header']);
  t.strictSame(one('040c2f73616d706c652f70617468'), [':path: /sample/path']);
  t.strictSame(one('100870617373776f726406736563726574'), ['password: secret !']);
  t.strictSame(one('82'), [':method: GET']);
  t.end();
});

for (const [name, blocks] of [
  [
    'C.3',
    [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
  ],
  [
    'C.4, coded',
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
  ],
] as const) {
  t.test(`RFC 7541 ${name}: requests share a table`, (t) => {
    const decoder = new HpackDecoder();
    t.strictSame(read(decoder, hex(blocks[0])), GET);
    t.notOk(decoder.hasReference);
    t.strictSame(read(decoder, hex(blocks[1])), [...GET, 'cache-control: no-cache']);
    t.ok(decoder.hasReference);
    const third = [':method: GET', ':scheme: https', ':path: /index.html', GET[3], 'custom-key: custom-value'];
    t.strictSame(read(decoder, hex(blocks[2])), third);
    t.strictSame(tableOf(decoder), ['custom-key: custom-value', 'cache-control: no-cache', GET[3]]);
    t.end();
  });
}

for (const [name, blocks] of [
  [
    'C.5',
    [
      '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d',
      '4803333037c1c0bf',
      '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
    ],
  ],
  [
    'C.6, coded',
    [
      '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ],
  ],
] as const) {
  t.test(`RFC 7541 ${name}: responses in a table of 256 bytes, which evicts`, (t) => {
    const decoder = new HpackDecoder();
    read(decoder, hex('3fe101')); // 256
    t.strictSame(read(decoder, hex(blocks[0])), REDIRECT);
    t.strictSame(tableOf(decoder), REDIRECT.toReversed());
    t.strictSame(read(decoder, hex(blocks[1])), [':status: 307', ...REDIRECT.slice(1)]);
    t.strictSame(tableOf(decoder), [':status: 307', ...REDIRECT.slice(1).toReversed()]);
    const last = [':status: 200', REDIRECT[1], LATER, REDIRECT[3], 'content-encoding: gzip', COOKIE];
    t.strictSame(read(decoder, hex(blocks[2])), last);
    t.strictSame(tableOf(decoder), [COOKIE, 'content-encoding: gzip', LATER]);
    t.end();
  });
}

t.test('a block that no encoder writes is refused', (t) => {
  const cases: [string, string][] = [
    ['index 0', '80'],
    ['index of nothing', 'be'],
    ['index far beyond', 'ffffffff0f'],
    ['a number that never ends', 'ffffffffffffff7f'],
    ['a number cut off', 'ff80'],
    ['name of nothing', '7e0161'],
    ['no value', '4001'],
    ['a string beyond the block', '00056161'],
    ['a value beyond the block', '000161ff8001'],
    ['a literal without a name', '40'],
    ['size update behind a field', '8220'],
    ['size update above the limit', '3fe21f'],
    ['three size updates', '202020'],
    ['EOS in a string', '000161 84ffffffff'],
    ['padding of zeros', '000161 8118'],
    ['padding of eight bits', '000161 821fff'],
    ['padding that begins another word', '000161 81fe'],
  ];
  for (const [name, block] of cases) t.equal(read(new HpackDecoder(), hex(block)), BLOCK_BROKEN, name);
  t.strictSame(read(new HpackDecoder(), hex('3fe11f82')), [':method: GET'], 'a size update up to the limit');
  t.strictSame(read(new HpackDecoder(), hex('203fe11f82')), [':method: GET'], 'two of them');
  t.strictSame(read(new HpackDecoder(), hex('000161 811f')), ['a: a'], 'padding of ones');
  t.end();
});

t.test('long words of the Huffman code are those of the table in RFC 7541 appendix B', (t) => {
  const into = new Uint8Array(16);
  const words: [number, string][] = [
    [0, 'ffc7'],
    [92, 'fffe1f'],
    [255, 'fffffbbf'],
    [10, 'fffffff3'],
    [249, 'ffffffef'],
  ];
  for (const [byte, word] of words) {
    const bytes = hex(word);
    t.equal(decodeHuffman(bytes, 0, bytes.length, into, 0), 1);
    t.equal(into[0], byte);
  }
  t.end();
});

t.test('a list beyond the limits is read to its end for the table, and no further than anybody has room for', (t) => {
  const block = new FrameWriter();
  for (let i = 0; i < MAX_FIELDS; i++) block.textField('a', 'b');
  block.copy(hex('400163 0164'));
  const many = block.take();
  const decoder = new HpackDecoder();
  t.equal(decoder.decode(many, 0, many.length, fields), BLOCK_READ);
  t.ok(fields.isTooMany);
  t.strictSame(tableOf(decoder), ['c: d']);
  const bomb = Buffer.concat([hex('400161 7f8f1e'), Buffer.alloc(3982, 0x62), Buffer.alloc(200, 0xbe)]);
  t.equal(decoder.decode(bomb, 0, bomb.length, fields), BLOCK_BOMB);
  const large = Buffer.concat([hex('400161 7f8f1e'), Buffer.alloc(3982, 0x62), Buffer.alloc(30, 0xbe)]);
  t.equal(decoder.decode(large, 0, large.length, fields), BLOCK_READ);
  t.ok(fields.isTooLarge);
  t.end();
});

t.test('a table of any size agrees with a plain list', (t) => {
  const draw = draws(SEED);
  for (let round = 0; round < 40; round++) {
    const decoder = new HpackDecoder();
    const twin: [string, string][] = [];
    let limit = 4096;
    const sizeOf = () => twin.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
    for (let step = 0; step < 120; step++) {
      const block = new FrameWriter();
      if (draw(12) === 0) {
        limit = draw(4097);
        block.sizeUpdate(limit);
        while (sizeOf() > limit) twin.pop();
      }
      const name = `n${'x'.repeat(draw(3) === 0 ? draw(1500) : draw(8))}`;
      const value = 'v'.repeat(draw(4) === 0 ? draw(3000) : draw(40));
      block.byte(0x40);
      block.number(name.length, 0x7f, 0);
      block.copy(Buffer.from(name));
      block.number(value.length, 0x7f, 0);
      block.copy(Buffer.from(value));
      twin.unshift([name, value]);
      while (sizeOf() > limit) twin.pop();
      const wanted = [`${name}: ${value}`];
      if (twin.length > 0) {
        const index = draw(twin.length);
        block.number(62 + index, 0x7f, 0x80);
        wanted.push(twin[index].join(': '));
      }
      t.strictSame(read(decoder, block.take()), wanted);
      if (tableOf(decoder).join('\n') !== twin.map((entry) => entry.join(': ')).join('\n')) t.fail(`round ${round}`);
    }
  }
  t.end();
});

t.test('what nghttp2 writes is read, request after request, and what is written anew is read by it', async (t) => {
  const draw = draws(SEED + 1);
  const decoder = new HpackDecoder();
  const seen: string[][] = [];
  const got: string[][] = [];
  const server = http2.createServer();
  server.on('stream', (stream: http2.ServerHttp2Stream, ...args: unknown[]) => {
    const list = args[2] as string[];
    got.push(Array.from({ length: list.length / 2 }, (_, i) => `${list[2 * i]}: ${list[2 * i + 1]}`));
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  // Between the two: each HEADERS is decoded, and written anew without the table.
  const middle = createServer((client: Socket) => {
    const upstream = connectPlain((server.address() as AddressInfo).port, '127.0.0.1');
    upstream.pipe(client);
    let rest = Buffer.alloc(0);
    let isPrefaced = false;
    client.on('error', () => {});
    client.on('close', () => upstream.destroy());
    client.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      if (!isPrefaced) {
        if (rest.length < frames.PREFACE.length) return;
        upstream.write(rest.subarray(0, frames.PREFACE.length));
        rest = rest.subarray(frames.PREFACE.length);
        isPrefaced = true;
      }
      const header = new frames.FrameHeader();
      while (rest.length >= 9) {
        header.read(rest, 0);
        if (rest.length < 9 + header.length) return;
        const frame = rest.subarray(0, 9 + header.length);
        rest = rest.subarray(9 + header.length);
        if (header.type !== frames.HEADERS) {
          upstream.write(frame);
          continue;
        }
        const from = 9 + (header.has(frames.HAS_PRIORITY) ? 5 : 0);
        t.equal(decoder.decode(frame, from, frame.length, fields), BLOCK_READ);
        seen.push(listed(fields).map((line) => line.replace(/ !$/, '')));
        const block = new FrameWriter();
        const out = new FrameWriter();
        for (let i = 0; i < fields.count; i++) {
          const { nameStart, nameEnd, valueStart, valueEnd, isNeverIndexed } = fields;
          block.field(fields.bytes, nameStart[i], nameEnd[i], valueStart[i], valueEnd[i], isNeverIndexed[i] === 1);
        }
        out.headers(block, header.stream, header.has(frames.END_STREAM));
        upstream.write(out.take());
      }
    });
  });
  await new Promise<void>((resolve) => middle.listen(0, '127.0.0.1', () => resolve()));
  const session = http2.connect(`http://127.0.0.1:${(middle.address() as AddressInfo).port}`);
  const sent: string[][] = [];
  for (let i = 0; i < 300; i++) {
    const headers: Record<string, string> = { ':path': `/p${draw(4)}` };
    for (let n = draw(6); n > 0; n--) headers[`x-${draw(20)}`] = 'ä~Z09 {}'.repeat(draw(20)) + String(draw(5));
    if (draw(3) === 0) headers['cookie'] = `secret${draw(3)}`;
    const stream = session.request(headers);
    stream.resume();
    await new Promise((resolve) => stream.on('close', resolve));
    sent.push(Object.entries(headers).map(([name, value]) => `${name}: ${value}`));
  }
  session.destroy();
  server.close();
  middle.close();
  t.equal(seen.length, 300);
  for (const [i, lines] of sent.entries()) {
    const missing = lines.filter((line) => !seen[i].includes(line));
    if (missing.length > 0) t.strictSame(seen[i], lines);
    const lost = seen[i].filter((line) => !line.startsWith('cookie') && !got[i].includes(line));
    if (lost.length > 0) t.strictSame(got[i], seen[i]);
  }
  t.ok(decoder.table.count > 0, 'it used its table');
});
