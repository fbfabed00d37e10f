/** A tar archive (POSIX ustar) in memory: files for their owner alone, by names of at most 100 bytes. */

const TAR_BLOCK_BYTES = 512;
const NAME_BYTES = 100;

export interface ArchivedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * @param timeMs of every file, milliseconds since the epoch
 * @throws RangeError for a name of more than 100 bytes
 */
export function tarOf(files: readonly ArchivedFile[], timeMs: number): Buffer {
  const parts: Uint8Array[] = [];
  for (const { name, bytes } of files) {
    parts.push(header(name, bytes.length, timeMs), bytes, Buffer.alloc(-bytes.length & (TAR_BLOCK_BYTES - 1)));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * TAR_BLOCK_BYTES)]);
}

function header(name: string, length: number, timeMs: number): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES) throw new RangeError(`archive ${name}: wanted at most ${NAME_BYTES} bytes`);
  const block = Buffer.alloc(TAR_BLOCK_BYTES);
  block.write(name, 0);
  block.write('0000600\0', 100); // mode
  block.write('0000000\0', 108); // owner and group: root
  block.write('0000000\0', 116);
  block.write(`${length.toString(8).padStart(11, '0')}\0`, 124);
  block.write(
    `${Math.floor(timeMs / 1000)
      .toString(8)
      .padStart(11, '0')}\0`,
    136,
  );
  block.write('        ', 148); // the sum is made with blanks in its place
  block.write('0', 156); // a plain file
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
