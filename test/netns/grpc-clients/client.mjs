// Calls of grpc-js on one channel: client.mjs PACKAGE TARGET METHOD KIND [METHOD KIND]... Prints what came of each.
import { pathToFileURL } from 'node:url';

const [, , folder, target, ...calls] = process.argv;
const { default: grpc } = await import(pathToFileURL(`${folder}/build/src/index.js`).href);
const client = new grpc.Client(target, grpc.credentials.createInsecure());
const same = (bytes) => bytes;
const deadline = () => ({ deadline: Date.now() + 60_000 });
const numbers = Array.from({ length: 100 }, (_, i) => Buffer.from(String(i)));

function call(method, kind) {
  return new Promise((resolve) => {
    const said = (error, text) => resolve(error ? `${grpc.status[error.code]} ${error.details}` : text);
    if (kind === 'unary') {
      const answer = (error, bytes) => said(error, String(bytes));
      client.makeUnaryRequest(method, same, same, Buffer.from('abcabcabc'), new grpc.Metadata(), deadline(), answer);
      return;
    }
    if (kind === 'client') {
      const answer = (error, bytes) => said(error, String(bytes));
      const stream = client.makeClientStreamRequest(method, same, same, new grpc.Metadata(), deadline(), answer);
      for (const number of numbers) stream.write(number);
      stream.end();
      return;
    }
    const stream =
      kind === 'server'
        ? client.makeServerStreamRequest(method, same, same, Buffer.from('100'), new grpc.Metadata(), deadline())
        : client.makeBidiStreamRequest(method, same, same, new grpc.Metadata(), deadline());
    let count = 0;
    let sum = 0;
    stream.on('data', (bytes) => {
      count++;
      sum += Number(bytes);
    });
    stream.on('error', (error) => said(error));
    stream.on('end', () => said(undefined, String(kind === 'server' ? count : sum)));
    if (kind === 'both') {
      for (const number of numbers) stream.write(number);
      stream.end();
    }
  });
}

for (let i = 0; i + 1 < calls.length; i += 2) console.log(await call(calls[i], calls[i + 1]));
client.close();
