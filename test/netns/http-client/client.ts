/**
 * A client of HTTP/1.1 that keeps its connection: client.js LIBRARY ADDRESS PORT METHOD BYTES FRAMING EXPECTS
 *
 * Asks for what is allowed, sends a request that is denied, asks again, and prints the three statuses. LIBRARY is agent
 * (http.Agent) or fetch (undici).
 */
import { Agent, request } from 'node:http';
import { setImmediate } from 'node:timers/promises';

const [library, address, port, method, size, framing, expects] = process.argv.slice(2);
const content = Buffer.alloc(Number(size), 'x');
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function* pieces(): Generator<Buffer> {
  for (let at = 0; at < content.length; at += 8000) yield content.subarray(at, at + 8000);
}

function ask(verb: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const hasContent = verb !== 'GET';
    const framed = framing === 'chunked' ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': content.length };
    const waits = hasContent && expects === 'expect' ? { Expect: '100-continue' } : {};
    const headers = hasContent ? { ...framed, ...waits } : {};
    const asked = request({ host: address, port: Number(port), path, method: verb, headers, agent }, (response) => {
      // One that waited for leave, and got none, has nothing more to send: its connection cannot go on.
      if (hasContent && expects === 'expect' && !asked.writableEnded) asked.destroy();
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', () => resolve(response.statusCode ?? 0));
    });
    asked.on('error', reject);
    if (!hasContent) asked.end();
    else if (expects === 'expect') asked.on('continue', () => asked.end(content));
    else {
      for (const piece of pieces()) asked.write(piece);
      asked.end();
    }
  });
}

async function byFetch(verb: string, path: string): Promise<number> {
  const body = framing === 'chunked' ? ReadableStream.from(pieces()) : content;
  const init: RequestInit & { duplex: string } = { method: verb, duplex: 'half', ...(verb !== 'GET' && { body }) };
  const response = await fetch(`http://${address}:${port}${path}`, init);
  await response.arrayBuffer();
  return response.status;
}

const by = library === 'agent' ? ask : byFetch;
const statuses: number[] = [];
for (const [verb, path] of [
  ['GET', '/public/'],
  [method, '/private'],
  ['GET', '/public/'],
]) {
  statuses.push(await by(verb, path));
  await setImmediate(); // an answer is whole before its connection is free again
}
console.log(statuses.join(' '));
agent.destroy();
process.exit(0);
