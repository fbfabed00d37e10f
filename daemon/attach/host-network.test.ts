/** What is read of the host's network. */
import { join } from 'node:path';
import t from 'tap';
import type { HostNetwork } from './host-network.ts';
import { Cleanup, inNetns, must, mustAll } from '../../test/command.ts';

/** Reads until the kernel says something else than at first, then an address goes. */
const SCRIPT = `const { readHostNetwork, textOfNetwork } = await import(process.argv[1]);
  const { execFileSync } = await import('node:child_process');
  const networks = [await readHostNetwork()];
  const isOther = (kind) => JSON.stringify(networks.at(-1)[kind]) !== JSON.stringify(networks[0][kind]);
  while (!isOther('links') || !isOther('routes')) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    networks.push(await readHostNetwork());
  }
  execFileSync('ip', ['addr', 'del', '203.0.113.10/24', 'dev', 'near']);
  const texts = [networks[0], networks.at(-1), await readHostNetwork()].map(textOfNetwork);
  console.log(JSON.stringify(texts));`;

t.test('a network is the same while only lifetimes are others, and another without an address', async (t) => {
  const netns = `slh${process.pid.toString(36)}`;
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.finish());
  cleanup.command('ip', 'netns', 'del', netns);
  await mustAll(`
    ip netns add ${netns}
    ip -n ${netns} link add near type veth peer name far
    ip -n ${netns} link set near addrgenmode none
    ip -n ${netns} link set far addrgenmode none
    ip -n ${netns} link set far up
    ip -n ${netns} link set near up
    ip -n ${netns} addr add 203.0.113.10/24 dev near valid_lft 3600 preferred_lft 1800
    ip -n ${netns} addr add fd00:97:7::7/64 dev near nodad valid_lft 3600 preferred_lft 1800
    ip -n ${netns} route add default via 203.0.113.1
    ip -n ${netns} -6 route add default via fd00:97:7::1 dev near expires 3600`);
  const argv = [process.execPath, '--input-type=module', '-e', SCRIPT, join(import.meta.dirname, 'host-network.js')];
  const [first, later, without] = JSON.parse(await must(inNetns(netns, argv))) as string[];
  const { links, routes } = JSON.parse(first ?? '') as HostNetwork;
  t.match(links.find(({ ifname }) => ifname === 'near')?.addr_info, [
    { local: '203.0.113.10' },
    { local: 'fd00:97:7::7' },
  ]);
  t.match(routes, { 4: [{ dev: 'near' }], 6: [{ dev: 'near' }] });
  t.equal(later, first);
  t.not(without, first);
});
