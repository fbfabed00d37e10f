/** The keys of a connection's two elements, one a direction, as the maps of fast-table.ts have them. */
import type { ConntrackEntry } from '../../policy-maps/conntrack-map.ts';
import { V4_MAPPED } from '../../wire/address.ts';
import { PROTO_TCP } from '../../wire/protocols.ts';
import type { FlowMap } from './fast-table.ts';

type Words = ArrayLike<number>;

/** @param fromIndex @param toIndex interfaces of the host ends of initiator and responder */
export function keysOf(
  connection: ConntrackEntry,
  fromIndex: number,
  toIndex: number,
): { map: FlowMap; forward: Buffer; reply: Buffer } {
  const { source, sourcePort, destination, destinationPort, protocol } = connection;
  const isV4 = isMapped(source);
  const key = (index: number, from: Words, fromPort: number, to: Words, toPort: number): Buffer => {
    const address = (words: Words) => (isV4 ? [words[3]] : [words[0], words[1], words[2], words[3]]);
    const words = [...address(from), ...address(to)];
    const bytes = Buffer.alloc(4 + 4 * words.length + 8);
    bytes.writeUInt32LE(index, 0);
    words.forEach((word, at) => bytes.writeInt32BE(word | 0, 4 + 4 * at));
    bytes.writeUInt16BE(fromPort, bytes.length - 8);
    bytes.writeUInt16BE(toPort, bytes.length - 4);
    return bytes;
  };
  return {
    map: `${protocol === PROTO_TCP ? 'tcp' : 'udp'}${isV4 ? 4 : 6}`,
    forward: key(fromIndex, source, sourcePort, destination, destinationPort),
    reply: key(toIndex, destination, destinationPort, source, sourcePort),
  };
}

/** Whether both ends are of one family that can be forwarded. */
export function isOneFamily({ source, destination }: ConntrackEntry): boolean {
  return isMapped(source) === isMapped(destination);
}

function isMapped(words: Words): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === V4_MAPPED;
}
