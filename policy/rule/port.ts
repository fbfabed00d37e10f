/** Port numbers and names as policies write them. */

/** IANA service name: 1 to 15 letters, digits and single inner hyphens, at least one letter. */
export function isServiceName(text: string): boolean {
  return /^(?=.*[A-Za-z])[A-Za-z0-9](?:-?[A-Za-z0-9])*$/.test(text) && text.length <= 15;
}

/** A port number written in decimal, hex (0x), octal (0o or 0) or binary (0b), as Go reads it; undefined if it is none. */
export function parsePort(text: string): number | undefined {
  if (!/^(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/.test(text)) return undefined;
  const number = /^0[0-7]/.test(text) ? Number.parseInt(text, 8) : Number(text);
  return number <= 65535 ? number : undefined;
}
