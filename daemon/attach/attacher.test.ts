import t from 'tap';
import { Attacher } from './attacher.ts';

const SPEC = { owner: 'shop/web', mode: 'veth', podInterface: '', hostInterface: 'slattacher1' };

function attacherOf(written: string[]): Attacher {
  const journal = {
    attachment: () => undefined,
    enterAttachment: ({ netns }: { netns: string }) => written.push(netns),
  };
  return new Attacher({ journal, mayCreate: () => false } as never);
}

t.test("nothing is attached in the agent's own network namespace, by whatever name", async (t) => {
  for (const netns of ['/proc/self/ns/net', `/proc/${process.pid}/ns/net`, '/proc/thread-self/ns/net'])
    for (const mode of ['veth', 'tap', 'pcap']) {
      const written: string[] = [];
      await t.rejects(attacherOf(written).attach({ ...SPEC, netns, mode } as never), {
        message: `found the host's own network namespace at ${netns}, wanted a pod's`,
      });
      t.strictSame(written, [], 'and nothing is begun');
    }
  await t.rejects(attacherOf([]).attach({ ...SPEC, netns: 'no-such-namespace' } as never), {
    code: 'ERR_NETNS_MISSING',
  });
});
