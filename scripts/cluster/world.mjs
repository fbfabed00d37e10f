// What is outside of the cluster: a web server on every address of this network namespace, and a name server that knows two names.
//   node scripts/cluster/world.mjs NAME=ADDRESS...
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';

const names = new Map(process.argv.slice(2).map((given) => given.split('=')));

createServer((request, response) => response.end(`world ${request.socket.localAddress}\n`)).listen(80, '0.0.0.0');

const A = 1;
const HEADER_BYTES = 12;
const socket = createSocket('udp4');
socket.on('message', (query, { address, port }) => {
  const labels = [];
  let at = HEADER_BYTES;
  for (; at < query.length && query[at] > 0; at += 1 + query[at])
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
  const end = at + 5;
  if (end > query.length) return;
  const found = names.get(labels.join('.').toLowerCase());
  const isAnswer = found !== undefined && query.readUInt16BE(at + 1) === A;
  // An answer, recursion available; NXDOMAIN for what is not known.
  const header = Buffer.from([
    query[0],
    query[1],
    0x81,
    found === undefined ? 0x83 : 0x80,
    0,
    1,
    0,
    isAnswer ? 1 : 0,
    0,
    0,
    0,
    0,
  ]);
  const record = isAnswer
    ? [Buffer.from([0xc0, HEADER_BYTES, 0, A, 0, 1, 0, 0, 0, 60, 0, 4]), Buffer.from(found.split('.').map(Number))]
    : [];
  socket.send(Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...record]), port, address);
});
socket.bind(53, '0.0.0.0');
