/**
 * Header blocks of SPDY/3: names and values, compressed as one zlib stream a direction that lasts as long as the connection.
 *
 * Each block ends with a sync flush (the bytes 00 00 ff ff), so that the compressor's state between two blocks is nothing but
 * the last 32 KiB of text: the reader keeps these and gives them to inflate as the dictionary of the next block. What a
 * block may become is bounded before it is inflated, whatever its author made of it. A block without that end is refused,
 * as is one that goes on after the end of its stream.
 *
 * The writer sends blocks that refer to nothing before them, which every reader understands.
 */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { SPDY_DICTIONARY, SPDY_DICTIONARY_ID } from './spdy-dictionary.ts';

const WINDOW_BYTES = 32 * 1024;
const BLOCK_LIMIT = 16 * 1024; // bytes of text; kubectl sends some 100
const HEADER_LIMIT = 64; // headers of a block
/** zlib header of a deflate stream with a window of 32 KiB and a preset dictionary (RFC 1950 2.2). */
const ZLIB_HEADER = Buffer.from([0x78, 0xbb, 0, 0, 0, 0]);
ZLIB_HEADER.writeUInt32BE(SPDY_DICTIONARY_ID, 2);
const SYNC_FLUSH = Buffer.from([0, 0, 0xff, 0xff]);

export type Headers = ReadonlyMap<string, string>;

/** Reads the blocks of one direction, in their order. */
export class HeaderReader {
  #window: Buffer = SPDY_DICTIONARY;
  #isFirst = true;

  /** @throws Error that says what is wrong: the connection cannot go on, for later blocks depend on this one */
  read(block: Buffer): Headers {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const compressed = isFirst ? withoutZlibHeader(block) : block;
    if (!compressed.subarray(-SYNC_FLUSH.length).equals(SYNC_FLUSH))
      throw new Error('read a header block: it does not end with a sync flush');
    const text = inflateRawSync(compressed, {
      dictionary: this.#window,
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: BLOCK_LIMIT,
    });
    this.#window = Buffer.concat([this.#window, text]).subarray(-WINDOW_BYTES);
    return parseHeaders(text);
  }
}

function withoutZlibHeader(block: Buffer): Buffer {
  const isDeflate = block.length > 6 && (block[0] & 0xf) === 8 && block.readUInt16BE(0) % 31 === 0;
  if (!isDeflate) throw new Error('read a header block: it does not begin as a zlib stream');
  if ((block[1] & 0x20) === 0) throw new Error('read a header block: it names no dictionary, wanted that of SPDY/3');
  const id = block.readUInt32BE(2);
  if (id !== SPDY_DICTIONARY_ID)
    throw new Error(`read a header block: found dictionary ${id.toString(16)}, wanted that of SPDY/3`);
  return block.subarray(6);
}

/** @throws Error when the text is not exactly as many names and values as it says */
function parseHeaders(text: Buffer): Headers {
  const headers = new Map<string, string>();
  let offset = 0;
  const number = (): number => {
    if (offset + 4 > text.length) throw new Error('read a header block: it is cut short');
    offset += 4;
    return text.readUInt32BE(offset - 4);
  };
  const string = (): string => {
    const length = number();
    if (length > text.length - offset) throw new Error('read a header block: it is cut short');
    offset += length;
    return text.toString('utf8', offset - length, offset);
  };
  const count = number();
  if (count > HEADER_LIMIT)
    throw new Error(`read a header block: found ${count} headers, wanted at most ${HEADER_LIMIT}`);
  for (let i = 0; i < count; i++) {
    const name = string().toLowerCase();
    if (name === '' || headers.has(name))
      throw new Error(`read a header block: the name ${JSON.stringify(name)} twice, or empty`);
    headers.set(name, string());
  }
  if (offset !== text.length) throw new Error(`read a header block: ${text.length - offset} bytes after its headers`);
  return headers;
}

/** Writes the blocks of one direction. */
export class HeaderWriter {
  #isFirst = true;

  write(headers: Headers): Buffer {
    const deflated = deflateRawSync(emitHeaders(headers), { finishFlush: constants.Z_SYNC_FLUSH });
    const block = this.#isFirst ? Buffer.concat([ZLIB_HEADER, deflated]) : deflated;
    this.#isFirst = false;
    return block;
  }
}

function emitHeaders(headers: Headers): Buffer {
  const parts = [uint32(headers.size)];
  for (const word of [...headers].flat()) {
    const bytes = Buffer.from(word);
    parts.push(uint32(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
