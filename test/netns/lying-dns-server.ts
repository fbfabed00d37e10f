/**
 * A DNS server over UDP that answers each query six times: under another id, for another name, with bytes behind the end, not
 * at all a response, and then rightly, twice.
 */
import { createSocket } from 'node:dgram';
import { DnsMessage } from '../../wire/dns/message.ts';
import { DomainName } from '../../wire/dns/name.ts';
import { address, answer } from '../dns-messages.ts';

const socket = createSocket({ type: 'udp6', ipv6Only: false });
const message = new DnsMessage();
const name = new DomainName();

socket.on('message', (query, from) => {
  if (message.parse(query, 0, query.length) !== 0) return;
  name.load(query, 0, query.length, message.questionAt);
  const asked = name.text();
  const { id, type } = message;
  const reply = (payload: Buffer) => socket.send(payload, from.port, from.address);
  const wrong = [address(asked, '192.0.2.66')];
  reply(answer(asked, wrong, { id: id ^ 1, type }));
  reply(answer(`x.${asked}`, wrong, { id, type }));
  reply(answer(asked, wrong, { id, type, trailing: Buffer.from('x') }));
  reply(query);
  const right = answer(asked, [address(asked, '192.0.2.1')], { id, type });
  reply(right);
  reply(right);
});
socket.bind(53);
