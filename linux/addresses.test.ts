/** Which addresses are the machine's own. */
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, must, mustAll } from '../test/command.ts';

const SCRIPT = `const { hostAddresses } = await import(process.argv[1]);
  console.log(JSON.stringify(await hostAddresses(['10.97.0.1', '203.0.113.10'])));`;

t.test('hostAddresses() has all that the kernel takes for its own, each once', async (t) => {
  const netns = `sla${process.pid.toString(36)}`;
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.finish());
  cleanup.command('ip', 'netns', 'del', netns);
  await mustAll(`
    ip netns add ${netns}
    ip -n ${netns} link set lo up
    ip -n ${netns} link add near type veth peer name far
    ip -n ${netns} addr add 203.0.113.10/24 brd 203.0.113.255 dev near
    ip -n ${netns} link set far up
    ip -n ${netns} link set near up
    ip -n ${netns} addr add 203.0.113.77/32 dev lo
    ip -n ${netns} addr add fd00:97:7::7/128 dev lo
    ip -n ${netns} route add local 192.0.2.0/24 dev lo`);
  const argv = [process.execPath, '--input-type=module', '-e', SCRIPT, join(import.meta.dirname, 'addresses.js')];
  const found = JSON.parse(await must(inNetns(netns, argv))) as string[];
  const wanted = ['10.97.0.1', '203.0.113.10', '203.0.113.77', '203.0.113.255', '192.0.2.0/24', 'fd00:97:7::7'];
  t.same([...found].sort(), [...wanted].sort());
});
