/** Names of the DNS response codes, as gopacket prints them and so Hubble. */
const RCODES = [
  'No Error',
  'Format Error',
  'Server Failure',
  'Non-Existent Domain',
  'Not Implemented',
  'Query Refused',
];

/** `Non-Existent Domain`; the number itself when it has no name. */
export function rcodeText(rcode: number): string {
  return RCODES[rcode] ?? String(rcode);
}
