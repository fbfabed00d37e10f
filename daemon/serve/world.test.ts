/** The world as it is told: line by line, no faster than it is read, and as it was when it was asked for. */
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { readDocuments } from '../../policy/document/document.ts';
import type { Agent } from '../agent.ts';
import { sendWorld } from './world.ts';

const { documents } = readDocuments(
  [1, 2, 3].map((i) => `kind: Namespace\napiVersion: v1\nmetadata: { name: n${i} }\n---\n`).join(''),
  'n.yaml',
);

/** A response that is full after each line. */
class SlowResponse extends EventEmitter {
  readonly lines: Record<string, unknown>[] = [];
  destroyed = false;
  isEnded = false;
  giveUp: () => void = () => undefined;
  writeHead(): void {}
  setTimeout(_: number, giveUp: () => void): void {
    this.giveUp = giveUp;
  }
  write(text: string): boolean {
    this.lines.push(JSON.parse(text) as Record<string, unknown>);
    return false;
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

function begin(told = [...documents], unless?: string) {
  const cookies = { inUse: () => [[4, []]] };
  const agent = {
    compilation: { cluster: { options: { semantics: 'cilium' }, compiler: { cookies } } },
    directory: { identities: () => [[256, ['k8s:app=a']]] },
    startedMs: 7,
    publisher: { revision: 3 },
    config: { nodeName: 'vm' },
    store: { documents: () => told },
    feed: { node: { name: 'vm', labels: {}, ips: [] }, pods: () => [] },
  };
  const response = new SlowResponse();
  sendWorld(agent as unknown as Agent, response as unknown as ServerResponse, unless);
  return { response, told };
}

t.test('sendWorld() makes a line when the one before has gone out, and tells the end', async (t) => {
  const { response } = begin();
  for (let count = 1; !response.isEnded; count++) {
    t.equal(response.lines.length, count);
    response.emit('drain');
  }
  t.match(response.lines, [
    { tag: '7.3' },
    { options: { semantics: 'cilium' } },
    { node: { name: 'vm' } },
    ...documents.map(({ name, line }) => ({ object: { object: { metadata: { name } }, file: 'n.yaml', line } })),
    { identity: { id: 256 } },
    { cookie: { id: 4 } },
    { end: true },
  ]);
});

t.test('sendWorld() stops for a reader that has gone, or that takes nothing', async (t) => {
  const { response } = begin();
  response.giveUp();
  t.ok(response.destroyed);
  response.emit('drain');
  t.equal(response.lines.length, 1);
});

t.test('sendWorld() does not tell again what is known', async (t) => {
  t.same(begin([...documents], '7.3').response.lines, [{ unchanged: true }]);
  t.match(begin([...documents], '7.2').response.lines, [{ tag: '7.3' }]);
});
