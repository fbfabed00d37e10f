/** Frames and header blocks, with the bytes that kubectl 1.20 sent for `exec -i p -- cat`. */
import t from 'tap';
import { constants, createDeflate, createInflate, deflateRawSync, deflateSync } from 'node:zlib';
import { randomFrom, SEED } from '../../test/random.ts';
import { KUBECTL_EXEC } from '../../test/spdy-client.ts';
import { HeaderReader, HeaderWriter } from './header-blocks.ts';
import { FRAME, FrameReader } from './spdy-frames.ts';
import { SPDY_DICTIONARY } from './spdy-dictionary.ts';

/** What a reader tells of bytes that come in pieces, one line an event. */
function read(bytes: Buffer, pieceLength: number): string[] {
  const lines: string[] = [];
  const headers = new HeaderReader();
  let data = '';
  const reader = new FrameReader({
    control: (type, flags, payload) => {
      if (type !== FRAME.SYN_STREAM) return void lines.push(`${type} ${flags} ${payload.toString('hex')}`);
      lines.push(`open ${payload.readUInt32BE(0)} ${JSON.stringify([...headers.read(payload.subarray(10))])}`);
    },
    data: (stream, piece, isLast) => {
      data += piece.toString();
      if (isLast || data.endsWith('\n')) lines.push(`data ${stream} ${JSON.stringify(data)}${isLast ? ' end' : ''}`);
      if (isLast || data.endsWith('\n')) data = '';
    },
  });
  for (let at = 0; at < bytes.length; at += pieceLength) reader.read(bytes.subarray(at, at + pieceLength));
  return lines;
}

const EXPECTED = [
  'open 1 [["streamtype","error"]]',
  'open 3 [["streamtype","stdin"]]',
  'open 5 [["streamtype","stdout"]]',
  'open 7 [["streamtype","stderr"]]',
  'data 3 "hi\\n"',
  'data 3 "" end',
  '3 0 0000000100000005',
  '3 0 0000000500000005',
  '3 0 0000000700000005',
  '7 0 0000000000000000',
];

t.test('read() of what kubectl sends, whole, byte by byte, and in every size between', async (t) => {
  for (let length = 1; length <= KUBECTL_EXEC.length; length++) t.strictSame(read(KUBECTL_EXEC, length), EXPECTED);
});

t.test('read() refuses what no peer may send', async (t) => {
  const read = (hex: string) => () =>
    new FrameReader({ control: () => {}, data: () => {} }).read(Buffer.from(hex, 'hex'));
  t.throws(read('8002000100000000'), { message: 'read a frame: found SPDY/2, wanted SPDY/3' });
  t.throws(read('8003000100008001'), { message: 'read a control frame: found 32769 bytes, wanted at most 32768' });
  t.throws(read('0000000000000001'), { message: 'read a data frame: found stream 0' });
  t.doesNotThrow(read('0000000100ffffff'), 'a data frame of 16 MiB is handed on as it comes');
});

/** The blocks as another implementation reads them: one inflate stream with the dictionary. */
function inflated(blocks: readonly Buffer[]): Promise<Buffer> {
  const inflate = createInflate({ dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });
  const texts: Buffer[] = [];
  inflate.on('data', (text: Buffer) => texts.push(text));
  return new Promise((resolve, reject) => {
    inflate.on('error', reject).on('end', () => resolve(Buffer.concat(texts)));
    for (const block of blocks) inflate.write(block);
    inflate.end();
  });
}

t.test('blocks that HeaderWriter writes, read by zlib and by HeaderReader', async (t) => {
  const all = [
    new Map(),
    new Map([['port', '80']]),
    new Map([
      ['port', '80'],
      ['streamtype', 'data'],
    ]),
  ];
  const writer = new HeaderWriter();
  const blocks = all.map((headers) => writer.write(headers));
  t.strictSame(
    (await inflated(blocks)).toString('latin1'),
    '\0\0\0\0' +
      '\0\0\0\x01\0\0\0\x04port\0\0\0\x0280' +
      '\0\0\0\x02\0\0\0\x04port\0\0\0\x0280\0\0\0\x0astreamtype\0\0\0\x04data',
  );
  const reader = new HeaderReader();
  t.strictSame(
    blocks.map((block) => reader.read(block)),
    all,
  );
});

/** A first block of that text. */
const first = (text: string | Buffer) =>
  deflateSync(text, { dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });

t.test('HeaderReader refuses a block that is too much, cut, or of another dictionary', async (t) => {
  const refused = (block: Buffer, message: string | RegExp) =>
    t.throws(() => new HeaderReader().read(block), { message });
  refused(first(Buffer.alloc(64 * 1024 * 1024)), /larger than 16384 bytes/);
  refused(first('\0\0\0\x41'), 'read a header block: found 65 headers, wanted at most 64');
  refused(first('\0\0\0\x01\0\0\0\x04por'), 'read a header block: it is cut short');
  refused(first('\0\0\0\x01\xff\xff\xff\xffport'), 'read a header block: it is cut short');
  refused(first('\0\0\0'), 'read a header block: it is cut short');
  refused(first('\0\0\0\0more'), 'read a header block: 4 bytes after its headers');
  refused(first('\0\0\0\x01\0\0\0\0\0\0\0\0'), 'read a header block: the name "" twice, or empty');
  const twice = '\0\0\0\x01a\0\0\0\x01b';
  refused(first(`\0\0\0\x02${twice}${twice.toUpperCase()}`), 'read a header block: the name "a" twice, or empty');
  refused(
    deflateSync('\0\0\0\0', { dictionary: SPDY_DICTIONARY }),
    'read a header block: it does not end with a sync flush',
  );
  refused(
    deflateSync('\0\0\0\0', { finishFlush: constants.Z_SYNC_FLUSH }),
    'read a header block: it names no dictionary, wanted that of SPDY/3',
  );
  refused(
    deflateSync('\0\0\0\0', { dictionary: Buffer.from('x'), finishFlush: constants.Z_SYNC_FLUSH }),
    'read a header block: found dictionary 790079, wanted that of SPDY/3',
  );
  refused(
    deflateRawSync('\0\0\0\0', { finishFlush: constants.Z_SYNC_FLUSH }),
    'read a header block: it does not begin as a zlib stream',
  );
  refused(Buffer.alloc(0), 'read a header block: it does not begin as a zlib stream');
});

t.test('HeaderReader refers to what came long before, as one stream of zlib does', async (t) => {
  const draw = randomFrom(SEED);
  const texts = Array.from({ length: 200 }, () => {
    const value = Buffer.from(Array.from({ length: draw(900) }, () => 97 + draw(26)));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return Buffer.concat([Buffer.from('\0\0\0\x01\0\0\0\x04name'), length, value]);
  });
  const repeated = [...texts.slice(0, 40), ...texts.slice(0, 40), ...texts];
  const compressor = createDeflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH });
  const reader = new HeaderReader();
  for (const text of repeated) {
    compressor.write(text);
    await new Promise<void>((resolve) => compressor.flush(constants.Z_SYNC_FLUSH, resolve));
    const block = compressor.read() as Buffer;
    t.strictSame(reader.read(block).get('name'), text.subarray(16).toString());
  }
});
