/**
 * The Huffman code of HPACK (RFC 7541 appendix B), decoding only: what we write is never coded.
 *
 * The code is canonical, so that the lengths of its words say all. Decoding goes by four bits at a time through a table of
 * `state x nibble`; a state is an inner node of the tree, and no nibble ends more than one word, the shortest having five bits.
 *
 * What no encoder writes is refused (5.2): EOS inside a string, more than seven bits of padding, padding that is not all
 * ones. Otherwise one text had many spellings, and readers differ in which of them they take.
 */

// --- specification
/** Bits of the word of each byte, and of EOS (256). */
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

// --- implementation
const EOS = 256;
const NODES = 256;
/** An entry is next state << 16, with these, and the byte that it ends. */
const HAS_BYTE = 0x100;
const FAILS = 0x200;
/** A string may end in the next state: what is left of the last byte is padding. */
const MAY_END = 0x400;

const TABLE: Int32Array = buildTable();

/** Words by length, then by byte: the inner nodes, each with the node or ~byte behind a 0 and a 1. */
function buildTree(): Int32Array {
  const tree = new Int32Array(NODES * 2);
  let nodes = 1;
  let code = 0;
  let length = 5;
  const order = LENGTHS.map((bits, byte) => ({ bits, byte })).sort((a, b) => a.bits - b.bits || a.byte - b.byte);
  for (const { bits, byte } of order) {
    code *= 2 ** (bits - length);
    length = bits;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const at = node * 2 + ((code >>> bit) & 1);
      if (tree[at] === 0) tree[at] = nodes++;
      node = tree[at];
    }
    tree[node * 2 + (code & 1)] = ~byte;
    code++;
  }
  return tree;
}

function buildTable(): Int32Array {
  const tree = buildTree();
  const mayEnd = new Uint8Array(NODES); // the root, and up to seven ones behind it
  for (let node = 0, bits = 0; bits < 8; node = tree[node * 2 + 1], bits++) mayEnd[node] = 1;
  const table = new Int32Array(NODES * 16);
  for (let state = 0; state < NODES; state++) {
    for (let nibble = 0; nibble < 16; nibble++) table[state * 16 + nibble] = walk(tree, mayEnd, state, nibble);
  }
  return table;
}

function walk(tree: Int32Array, mayEnd: Uint8Array, state: number, nibble: number): number {
  let node = state;
  let word = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[node * 2 + ((nibble >>> bit) & 1)];
    if (next === ~EOS) return FAILS;
    if (next < 0) word = HAS_BYTE | ~next;
    node = next < 0 ? 0 : next;
  }
  return (node << 16) | word | (mayEnd[node] === 1 ? MAY_END : 0);
}

/** Most bytes that `count` coded ones may become. */
export function decodedBytes(count: number): number {
  return Math.floor((count * 8) / 5);
}

/**
 * Decodes bytes[start, end) into `into`, from `at` on. Preconditions: there is room for decodedBytes(end - start).
 * @returns the position behind what was written, -1 for what no encoder writes
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, into: Uint8Array, at: number): number {
  let to = at;
  let entry = MAY_END;
  for (let p = start; p < end; p++) {
    entry = TABLE[((entry >>> 16) << 4) | (bytes[p] >>> 4)];
    if ((entry & HAS_BYTE) !== 0) into[to++] = entry & 0xff;
    if ((entry & FAILS) !== 0) return -1;
    entry = TABLE[((entry >>> 16) << 4) | (bytes[p] & 15)];
    if ((entry & HAS_BYTE) !== 0) into[to++] = entry & 0xff;
    if ((entry & FAILS) !== 0) return -1;
  }
  return (entry & MAY_END) !== 0 ? to : -1;
}
