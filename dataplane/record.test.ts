/** What is told of frames, and what is only counted. */
import t from 'tap';
import { CONFIG_EVENTS_OFF } from '../policy-maps/config-map.ts';
import { duo, entry, forAnyPeer, SERVER } from '../test/dataplane-world.ts';
import { tcpFrame } from '../test/packets.ts';
import { INGRESS } from '../wire/direction.ts';
import * as tcp from '../wire/header/tcp.ts';
import { DROP_POLICY, FORWARD } from '../wire/reasons.ts';

t.test('with events switched off nothing is told and everything is counted, while the dataplane runs', (t) => {
  const policy = [...forAnyPeer({ egress: true }), entry({ identity: 1001, protocol: 6, port: 80 })];
  const { world, client, server } = duo(t, { policy });
  const send = (dport: number, sport: number): void =>
    world.send(client, tcpFrame({ from: client, to: SERVER, sport, dport, flags: tcp.SYN }));
  const counted = (reason: number): number => {
    const rows = [...world.maps.metrics.entries()].filter((one) => one.reason === reason);
    return rows.reduce((sum, { packets, direction }) => sum + (direction === INGRESS ? packets : 0), 0);
  };
  const setOff = (isOff: boolean): void => {
    world.maps.config.store(CONFIG_EVENTS_OFF, Number(isOff));
    world.dataplane.refreshSettings();
  };

  setOff(true);
  send(80, 5000);
  send(443, 5001);
  t.equal(world.received(server).length, 1, 'policy is what it was');
  t.same([counted(FORWARD), counted(DROP_POLICY)], [1, 1]);
  t.same(world.events(), []);
  t.same(world.drops(), []);
  t.equal(world.dataplane.recorder.dropsCounted, 0, 'nor are there counts instead');

  setOff(false);
  send(80, 5002);
  send(443, 5003);
  t.equal(world.events().length, 4, 'two verdicts for each end that let it pass, and a trace');
  t.same(world.drops(), [DROP_POLICY]);
  t.end();
});
