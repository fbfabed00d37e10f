/** ICMP types and codes by name, as gopacket prints them and so Hubble's summaries: `EchoRequest`, `DestinationUnreachable(Port)`. */

interface TypeName {
  readonly name: string;
  /** Names of the codes by number; absent when the type makes no use of them. */
  readonly codes?: readonly string[];
}

const UNREACHABLE_V4 = [
  'Net',
  'Host',
  'Protocol',
  'Port',
  'FragmentationNeeded',
  'SourceRoutingFailed',
  'NetUnknown',
  'HostUnknown',
  'SourceIsolated',
  'NetAdminProhibited',
  'HostAdminProhibited',
  'NetTOS',
  'HostTOS',
  'CommAdminProhibited',
  'HostPrecedence',
  'PrecedenceCutoff',
];

const UNREACHABLE_V6 = [
  'NoRouteToDst',
  'AdminProhibited',
  'BeyondScopeOfSrc',
  'AddressUnreachable',
  'PortUnreachable',
  'SrcAddressFailedPolicy',
  'RejectRouteToDst',
];

const V4: Readonly<Record<number, TypeName>> = {
  0: { name: 'EchoReply' },
  3: { name: 'DestinationUnreachable', codes: UNREACHABLE_V4 },
  4: { name: 'SourceQuench' },
  5: { name: 'Redirect', codes: ['Net', 'Host', 'TOS+Net', 'TOS+Host'] },
  8: { name: 'EchoRequest' },
  9: { name: 'RouterAdvertisement' },
  10: { name: 'RouterSolicitation' },
  11: { name: 'TimeExceeded', codes: ['TTLExceeded', 'FragmentReassemblyTimeExceeded'] },
  12: { name: 'ParameterProblem', codes: ['PointerIndicatesError', 'MissingOption', 'BadLength'] },
  13: { name: 'TimestampRequest' },
  14: { name: 'TimestampReply' },
  15: { name: 'InfoRequest' },
  16: { name: 'InfoReply' },
  17: { name: 'AddressMaskRequest' },
  18: { name: 'AddressMaskReply' },
};

const V6: Readonly<Record<number, TypeName>> = {
  1: { name: 'DestinationUnreachable', codes: UNREACHABLE_V6 },
  2: { name: 'PacketTooBig' },
  3: { name: 'TimeExceeded', codes: ['HopLimitExceeded', 'FragmentReassemblyTimeExceeded'] },
  4: { name: 'ParameterProblem', codes: ['ErroneousHeaderField', 'UnrecognizedNextHeader', 'UnrecognizedIPv6Option'] },
  128: { name: 'EchoRequest' },
  129: { name: 'EchoReply' },
  130: { name: 'MLDv1MulticastListenerQueryMessage' },
  131: { name: 'MLDv1MulticastListenerReportMessage' },
  132: { name: 'MLDv1MulticastListenerDoneMessage' },
  133: { name: 'RouterSolicitation' },
  134: { name: 'RouterAdvertisement' },
  135: { name: 'NeighborSolicitation' },
  136: { name: 'NeighborAdvertisement' },
  137: { name: 'Redirect' },
  143: { name: 'MLDv2MulticastListenerReportMessageV2' },
};

/** @param family 4 or 6 @returns e.g. `EchoRequest`, `DestinationUnreachable(Port)`, `42(1)` for a type without a name */
export function icmpName(family: number, type: number, code: number): string {
  const entry = (family === 4 ? V4 : V6)[type];
  if (entry === undefined) return `${type}(${code})`;
  if (entry.codes === undefined && code === 0) return entry.name;
  return `${entry.name}(${entry.codes?.[code] ?? `Code: ${code}`})`;
}
