import t from 'tap';
import { Cleanup, must } from '../test/command.ts';
import { linkIndex, removeLink } from './links.ts';

t.test('an interface that somebody else removes meanwhile is removed', async (t) => {
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.finish());
  const name = `slln${process.pid.toString(36)}`;
  await must(['ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`]);
  cleanup.command('ip', 'link', 'del', name);
  // Both see it, and one of them comes too late.
  t.same((await Promise.all([removeLink(name), removeLink(name)])).toSorted(), [false, true]);
  t.equal(linkIndex(name), 0);
  t.equal(await removeLink(name), false, 'it was gone already');
});
