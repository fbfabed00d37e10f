/** Where Prometheus asks: an address that somebody else has is told once, tried again, and served when it is free. */
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { Registry } from '../../hubble/metrics/registry.ts';
import { waitFor } from '../../test/command.ts';
import { MetricsListener } from './listener.ts';

async function other(): Promise<{ server: Server; address: string }> {
  const server = createServer((_, response) => response.end('not the metrics'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function statusOf(address: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(`http://${address}${path}`, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', reject);
    asked.end();
  });
}

t.test('an address that is taken is told once, and served as soon as it is free', async (t) => {
  const { server, address } = await other();
  const lines: string[] = [];
  let attempts = 0;
  const log = (level: string, text: string, fields: object): void =>
    void lines.push(`${level} ${text} ${JSON.stringify(fields)}`);
  const listener = new MetricsListener({
    address,
    registry: new Registry(),
    log,
    retryMs: 10,
    onAttempt: () => attempts++,
  });
  t.teardown(() => listener.stop());
  listener.start();
  await waitFor('some attempts', () => attempts > 3);
  t.match(lines, [/^error cannot serve metrics, trying again .*EADDRINUSE/]);
  t.equal(lines.length, 1, 'the same reason is told once');
  server.close();
  await waitFor('the metrics', () => lines.length === 2);
  t.match(lines[1], new RegExp(`^info metrics are served .*${address}`));
  t.equal(await statusOf(address, '/metrics'), 200);
  t.equal(await statusOf(address, '/'), 404);
});

t.test('one that is stopped before it could listen never does, and no address is none', async (t) => {
  const { server, address } = await other();
  const lines: string[] = [];
  const log = (level: string): void => void lines.push(level);
  const listener = new MetricsListener({ address, registry: new Registry(), log, retryMs: 10 });
  listener.start();
  await waitFor('the refusal', () => lines.length === 1);
  await listener.stop();
  server.close();
  await once(server, 'close');
  const next = await new Promise<number>((resolve) => {
    const server = createServer();
    server.listen(Number(address.split(':')[1]), '127.0.0.1', () => server.close(() => resolve(1)));
  });
  t.equal(next, 1, 'the address is free for others');
  t.strictSame(lines, ['error']);
  const nowhere = new MetricsListener({ address: '', registry: new Registry(), log });
  nowhere.start();
  await nowhere.stop();
  t.strictSame(lines, ['error']);
});
