/** ICMP types by the names that `icmps[].fields[].type` may use (Kubernetes has none; these are Cilium's). */

const IPV4: Readonly<Record<string, number>> = {
  EchoReply: 0,
  DestinationUnreachable: 3,
  Redirect: 5,
  Echo: 8,
  EchoRequest: 8,
  RouterAdvertisement: 9,
  RouterSelection: 10,
  TimeExceeded: 11,
  ParameterProblem: 12,
  Timestamp: 13,
  TimestampReply: 14,
  Photuris: 40,
  ExtendedEchoRequest: 42,
  ExtendedEchoReply: 43,
};

const IPV6: Readonly<Record<string, number>> = {
  DestinationUnreachable: 1,
  PacketTooBig: 2,
  TimeExceeded: 3,
  ParameterProblem: 4,
  EchoRequest: 128,
  EchoReply: 129,
  MulticastListenerQuery: 130,
  MulticastListenerReport: 131,
  MulticastListenerDone: 132,
  RouterSolicitation: 133,
  RouterAdvertisement: 134,
  NeighborSolicitation: 135,
  NeighborAdvertisement: 136,
  RedirectMessage: 137,
  RouterRenumbering: 138,
  ICMPNodeInformationQuery: 139,
  ICMPNodeInformationResponse: 140,
  InverseNeighborDiscoverySolicitation: 141,
  InverseNeighborDiscoveryAdvertisement: 142,
  HomeAgentAddressDiscoveryRequest: 144,
  HomeAgentAddressDiscoveryReply: 145,
  MobilePrefixSolicitation: 146,
  MobilePrefixAdvertisement: 147,
  DuplicateAddressRequestCodeSuffix: 157,
  DuplicateAddressConfirmationCodeSuffix: 158,
  ExtendedEchoRequest: 160,
  ExtendedEchoReply: 161,
};

export type IcmpFamily = 'IPv4' | 'IPv6';

/** The type number: 0..255 as a number or decimal text, or a name of that family; undefined when it is neither. */
export function icmpType(family: IcmpFamily, type: number | string): number | undefined {
  if (typeof type === 'string' && Object.hasOwn(icmpNames(family), type)) return icmpNames(family)[type];
  if (typeof type === 'string' && !/^\d{1,3}$/.test(type)) return undefined;
  const number = Number(type);
  return Number.isInteger(number) && number >= 0 && number <= 255 ? number : undefined;
}

export function icmpNames(family: IcmpFamily): Readonly<Record<string, number>> {
  return family === 'IPv4' ? IPV4 : IPV6;
}
