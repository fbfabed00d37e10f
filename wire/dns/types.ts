/** Types of DNS records and their names (IANA, "Resource Record (RR) TYPEs"). */

export const TYPE_A = 1;
export const TYPE_NS = 2;
export const TYPE_CNAME = 5;
export const TYPE_SOA = 6;
export const TYPE_PTR = 12;
export const TYPE_HINFO = 13;
export const TYPE_MX = 15;
export const TYPE_TXT = 16;
export const TYPE_SIG = 24;
export const TYPE_AAAA = 28;
export const TYPE_SRV = 33;
export const TYPE_DNAME = 39;
export const TYPE_OPT = 41;
export const TYPE_TSIG = 250;
export const TYPE_IXFR = 251;
export const TYPE_AXFR = 252;
export const TYPE_ANY = 255;
export const CLASS_IN = 1;

const NAMES: Readonly<Record<number, string>> = {
  [TYPE_A]: 'A',
  [TYPE_NS]: 'NS',
  [TYPE_CNAME]: 'CNAME',
  [TYPE_SOA]: 'SOA',
  10: 'NULL',
  [TYPE_PTR]: 'PTR',
  [TYPE_HINFO]: 'HINFO',
  [TYPE_MX]: 'MX',
  [TYPE_TXT]: 'TXT',
  [TYPE_SIG]: 'SIG',
  25: 'KEY',
  [TYPE_AAAA]: 'AAAA',
  29: 'LOC',
  [TYPE_SRV]: 'SRV',
  35: 'NAPTR',
  37: 'CERT',
  [TYPE_DNAME]: 'DNAME',
  [TYPE_OPT]: 'OPT',
  43: 'DS',
  44: 'SSHFP',
  46: 'RRSIG',
  47: 'NSEC',
  48: 'DNSKEY',
  50: 'NSEC3',
  51: 'NSEC3PARAM',
  52: 'TLSA',
  59: 'CDS',
  60: 'CDNSKEY',
  64: 'SVCB',
  65: 'HTTPS',
  99: 'SPF',
  249: 'TKEY',
  [TYPE_TSIG]: 'TSIG',
  [TYPE_IXFR]: 'IXFR',
  [TYPE_AXFR]: 'AXFR',
  [TYPE_ANY]: 'ANY',
  256: 'URI',
  257: 'CAA',
};

/** "AAAA" for 28; "TYPE1234" (RFC 3597) for one without a name here. */
export function typeName(type: number): string {
  return NAMES[type] ?? `TYPE${type}`;
}
