/** What everybody may ask for: one port's flood takes nothing from those who want little. */
import t from 'tap';
import { duo, SERVER } from '../test/dataplane-world.ts';
import { tcpFrame } from '../test/packets.ts';
import { Budget } from './budget.ts';

const FLOOD = 3000; // frames

t.test('a budget is for all, and a little of it for each port', (t) => {
  const budget = new Budget(1000, 100);
  const taken = (port: number, times: number) => Array.from({ length: times }, () => budget.take(port)).filter(Boolean);
  t.equal(taken(1, 1000).length, 1000, 'one may have all of it');
  t.equal(taken(1, 1000).length, 100, 'and what is its own');
  t.equal(taken(2, 1000).length, 100, 'of which others have as much');
  t.equal(budget.refused, 1800);
  budget.beginBatch(10);
  t.equal(taken(2, 100).length, 11, '10 ms fill 10 for all, and one for each');
  t.equal(taken(1, 100).length, 1);
  budget.beginBatch(1_000_000);
  t.equal(taken(3, 5000).length, 1100, 'a bucket holds a second');
  t.equal(taken(1, 5000).length, 100);
  t.end();
});

t.test("a flood of expired hop counts leaves others' ICMP errors to them", (t) => {
  const { world, client: flooder } = duo(t);
  const other = world.add({ addresses: ['10.0.0.4'], identity: 1003 });
  for (let i = 0; i < FLOOD; i++) {
    world.send(flooder, tcpFrame({ from: flooder, to: SERVER, sport: 1, dport: 1 + i, ttl: 1 }));
  }
  t.equal(world.received(flooder).length, 1100, 'the flooder has had all that there is');
  for (let i = 0; i < 20; i++) world.send(other, tcpFrame({ from: other, to: SERVER, sport: 2, dport: 1 + i, ttl: 1 }));
  t.equal(world.received(other).length, 20, 'traceroute by another pod');
  t.equal(world.dataplane.errors.limited, FLOOD - 1100, 'what was over is counted');
  t.end();
});

t.test('a frame to which no error is owed takes nothing from the budget', (t) => {
  const { world, client } = duo(t);
  world.setRouter('0.0.0.0', '::');
  const expired = () => tcpFrame({ from: client, to: SERVER, sport: 1, dport: 1, ttl: 1 });
  for (let i = 0; i < FLOOD; i++) world.send(client, expired());
  t.equal(world.received(client).length, 0, 'there is no address to send from');
  world.setRouter('10.0.0.1', 'fd00::1');
  world.send(client, expired());
  t.equal(world.received(client).length, 1);
  t.equal(world.dataplane.errors.limited, 0);
  t.end();
});
