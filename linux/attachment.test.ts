/** What keeps the host's stack off the pods' frames when no rule set does. */
import t from 'tap';
import { Cleanup, inNetns, must, mustAll, run, start, waitFor } from '../test/command.ts';
import { quietSysctls } from './attachment.ts';

const PORT = 9999;
const GIVE_UP_MS = 10_000;

/** Prints each datagram that comes to PORT over either family. */
const SERVER = `const s = require('node:dgram').createSocket('udp6');
  s.on('message', (m) => console.log('got ' + m)); s.bind(${PORT}, () => console.log('bound'));`;
/** Sends a datagram to each address after the first argument, saying what that is. */
const SENDER = `const [, from, ...to] = process.argv;
  for (const address of to) {
    const s = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
    s.send(from + ' to ' + address, ${PORT}, address, () => s.close());
  }`;

t.test('the settings of our interfaces alone keep the stack off', async (t) => {
  if (process.getuid?.() !== 0) throw new Error('this test makes network namespaces: run it as root');
  const name = `slq${process.pid.toString(36)}`;
  const [host, pod] = [`${name}-h`, `${name}-p`];
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.finish());
  for (const one of [host, pod]) cleanup.command('ip', 'netns', 'del', one);
  // Nothing else stands in the way: no rule set, no other filter, the way back is known, MACs need not be asked for.
  await mustAll(`
    ip netns add ${host}
    ip netns add ${pod}
    ip -n ${host} link set lo up
    ip -n ${host} link add near address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:02 netns ${pod}
    ip netns exec ${host} sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.ip_forward=1
    ip -n ${host} addr add 10.97.0.1/32 dev lo
    ip -n ${host} addr add fd00:97::1/128 dev lo
    ip -n ${host} link set near up
    ip netns exec ${pod} sysctl -qw net.ipv6.conf.eth0.accept_dad=0
    ip -n ${pod} addr add 10.97.0.9/32 dev eth0
    ip -n ${pod} addr add fd00:97::9/128 dev eth0 nodad
    ip -n ${pod} link set eth0 up
    ip -n ${pod} route add 10.97.0.1/32 dev eth0 scope link
    ip -n ${pod} route add fd00:97::1/128 dev eth0
    ip -n ${pod} neigh add 10.97.0.1 lladdr 02:00:00:00:00:01 dev eth0
    ip -n ${pod} neigh add fd00:97::1 lladdr 02:00:00:00:00:01 dev eth0`);
  const server = start(inNetns(host, [process.execPath, '-e', SERVER]));
  cleanup.add(() => server.child.kill('SIGKILL'));
  await waitFor('the server', () => server.output().includes('bound'));
  const send = (from: string, netns: string) =>
    must(inNetns(netns, [process.execPath, '-e', SENDER, from, '10.97.0.1', 'fd00:97::1']));
  const heard = (text: string) => () => server.output().includes(text);

  await send('open', pod);
  await waitFor('IPv4 without the settings', heard('open to 10.97.0.1'), GIVE_UP_MS);
  await waitFor('IPv6 without the settings', heard('open to fd00:97::1'), GIVE_UP_MS);
  const settings = quietSysctls('near').map(([path, value]) => `echo ${value} > /proc/sys/net/${path}`);
  await must(inNetns(host, ['sh', '-ec', settings.join('\n')]));
  for (let i = 0; i < 5; i++) await send(`quiet ${i}`, pod);
  const counted = await run(['ip', '-n', host, '-s', '-j', 'link', 'show', 'near']);
  t.match(counted.stdout, '"rx":', 'the frames came');
  await send('host', host);
  await waitFor('the server to hear its own host over IPv4', heard('host to 10.97.0.1'));
  await waitFor('the server to hear its own host over IPv6', heard('host to fd00:97::1'));
  t.notMatch(server.output(), 'quiet', 'none of ten has passed');
  await server.stop();
});
