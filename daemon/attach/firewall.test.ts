/** What keeps the host's stack off, and what becomes of it when others change the rule set of the machine. */
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, must } from '../../test/command.ts';

/** Shields two interfaces; after each change that it is given, looks and restores twice. Prints what each found lost. */
const SCRIPT = `
  import { execFileSync } from 'node:child_process';
  const { Firewall } = await import(process.argv[1]);
  const nft = (text) => execFileSync('nft', ['-f', '-'], { input: text, encoding: 'utf8' });
  const rules = () => execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' });
  const firewall = new Firewall('slfw');
  const said = [await firewall.restore()];
  await firewall.shield(['near', 'far.1']);
  const before = rules();
  for (const change of process.argv.slice(2)) {
    nft(change);
    const isOther = rules() !== before;
    said.push([change, isOther, await firewall.restore(), await firewall.restore(), rules() === before]);
  }
  await firewall.unshield(['near']);
  nft('flush ruleset');
  said.push(await firewall.restore());
  execFileSync('ip', ['link', 'del', 'far.1']);
  nft('flush ruleset');
  said.push(await firewall.restore());
  await firewall.remove();
  said.push(rules());
  console.log(JSON.stringify(said));`;

const CHANGES = [
  'flush ruleset',
  'flush ruleset; add table netdev slfw',
  'delete table netdev slfw; add table netdev slfw { flags dormant; }',
  'add table netdev slfw { flags dormant; }',
  'add chain netdev slfw p_near { policy accept; }',
  'add rule netdev slfw p_near accept',
  'flush chain netdev slfw p_near; delete chain netdev slfw p_near',
];
const ONE = new Set(CHANGES.slice(-3));

t.test('restore() puts back what somebody has changed, says of what, and does nothing else', async (t) => {
  const netns = `slf${process.pid.toString(36)}`;
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.finish());
  cleanup.command('ip', 'netns', 'del', netns);
  await must(['ip', 'netns', 'add', netns]);
  await must(['ip', '-n', netns, 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far.1']);
  const source = join(import.meta.dirname, 'firewall.js');
  const argv = [process.execPath, '--input-type=module', '-e', SCRIPT, source, ...CHANGES];
  const said = JSON.parse(await must(inNetns(netns, argv))) as unknown[];
  t.same(said.shift(), [], 'nothing is shielded yet');
  for (const change of CHANGES) {
    const lost = ONE.has(change) ? ['near'] : ['near', 'far.1'];
    t.same(said.shift(), [change, true, lost, [], true], change);
  }
  t.same(said.shift(), ['far.1'], 'what the host has again is not shielded');
  t.same(said.shift(), [], 'what is gone cannot be');
  t.notMatch(said.shift(), 'slfw', 'nothing is left behind');
});
