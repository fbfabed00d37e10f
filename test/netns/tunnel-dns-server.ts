/**
 * The far end of a tunnel through DNS, in the way of dnscat2: the first labels of a name bring bytes in, the TXT of its answer
 * takes bytes out. `HEX.NUMBER.DOMAIN` is one piece of what comes.
 *
 *   node tunnel-dns-server.js ADDRESS PORT TEXT    answers with TEXT, a piece a question; prints a line for each piece
 */
import { createSocket } from 'node:dgram';
import { DnsMessage } from '../../wire/dns/message.ts';
import { DomainName } from '../../wire/dns/name.ts';
import { TYPE_TXT } from '../../wire/dns/types.ts';
import { answer } from '../dns-messages.ts';

/** Bytes of TEXT in an answer. */
const PIECE = 8;

const [address, port, text] = process.argv.slice(2);
const socket = createSocket('udp4');
const message = new DnsMessage();
const name = new DomainName();

socket.on('message', (query, from) => {
  if (message.parse(query, 0, query.length) !== 0) return;
  name.load(query, 0, query.length, message.questionAt);
  const asked = name.text();
  const [hex, number] = asked.split('.');
  console.log(`${number} ${Buffer.from(hex, 'hex').toString('latin1')}`);
  const piece = Buffer.from(text.slice(Number(number) * PIECE, (Number(number) + 1) * PIECE));
  const data = Buffer.concat([Buffer.of(piece.length), piece]);
  const reply = answer(asked, [{ name: asked, type: TYPE_TXT, ttl: 0, data }], { id: message.id, type: message.type });
  socket.send(reply, from.port, from.address);
});
socket.bind(Number(port), address);
