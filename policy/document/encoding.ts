/** Bytes -> text: UTF-8, and UTF-16 with a byte order mark, as PowerShell's `>` writes it. Without a mark it is UTF-8. */

/** The text, its mark included; bytes that are no text become U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
