import t from 'tap';
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { rfc3339 } from '../../hubble/time.ts';
import { parseQuery } from '../query/query.ts';
import { type Ask, OlderFlows } from './older-flows.ts';

const START = Date.parse('2026-01-31T12:00:00Z');
const never = new AbortController().signal;

const flow = (number: number, ms: number): Flow => ({
  time: rfc3339(START + ms),
  uuid: `u-${number}`,
  verdict: number % 10 === 0 ? 'DROPPED' : 'FORWARDED',
  source: { namespace: 'shop', pod_name: `pod-${number % 7}` },
  destination: {},
  Type: 'L3_L4',
  event_type: { type: 4 },
});

/** An agent that keeps `flows`, oldest first. @returns it, and how often it was asked */
function agent(flows: readonly Flow[]): { ask: Ask; times: () => number } {
  let times = 0;
  const ask: Ask = async function* ({ number, whitelist, blacklist, until }) {
    times++;
    await Promise.resolve();
    const matches = compileFilters(whitelist, blacklist);
    const found = flows.filter((one) => Date.parse(one.time) <= Date.parse(until ?? '') && matches({ flow: one }));
    const page = found.slice(-number).map((one): Envelope => ({ flow: one }));
    yield page.slice(0, 3);
    yield page.slice(3);
  };
  return { ask, times: () => times };
}

const all = Array.from({ length: 3000 }, (_, number) => flow(number, number * 10));

/** Everything that there is, page by page. */
async function everything(older: OlderFlows): Promise<readonly (string | undefined)[]> {
  for (let calls = 0; calls < 100 && !older.isWhole; calls++) await older.more(never);
  t.ok(older.isWhole);
  return older.flows.map(({ uuid }) => uuid);
}

const uuids = (flows: readonly Flow[]) => flows.map(({ uuid }) => uuid);

t.test('older flows come page by page, each once, until there are none', async (t) => {
  const { ask, times } = agent(all);
  const older = new OlderFlows(ask, parseQuery(''), all.slice(2000, 2500), START + 1e6);
  await older.more(never);
  t.equal(older.flows.length, 499, 'a page, less the flow that was known');
  t.equal(older.isWhole, false);
  t.equal(older.reachedTime, all[1501].time);
  t.strictSame(await everything(older), uuids(all.slice(0, 2000)));
  t.ok(times() <= 6, `${times()} questions`);
});

t.test('without flows of the stream it begins at the end of the query, and ends at its beginning', async (t) => {
  const { ask } = agent(all);
  const query = parseQuery(`--since ${rfc3339(START + 5000)} --until ${rfc3339(START + 12_000)}`);
  t.strictSame(await everything(new OlderFlows(ask, query, [], START + 1e6)), uuids(all.slice(500, 1201)));
});

t.test('flags are asked for, words are looked for in what comes', async (t) => {
  const { ask, times } = agent(all);
  const dropped = new OlderFlows(ask, parseQuery('--verdict DROPPED'), [], START + 1e6);
  t.equal((await everything(dropped)).length, 300);
  t.equal(times(), 1);
  const words = new OlderFlows(ask, parseQuery('pod-3'), [], START + 1e6);
  await words.more(never);
  t.ok(words.flows.length >= 100 && words.flows.length < 250, 'no more than are enough');
  t.strictSame(await everything(words), uuids(all.filter((_, number) => number % 7 === 3)));
});

t.test('more flows in one moment than a page has are passed by, not asked for without an end', async (t) => {
  const moment = Array.from({ length: 800 }, (_, number) => flow(number + 10_000, 50_000));
  const { ask, times } = agent([...all.slice(0, 50), ...moment]);
  const older = new OlderFlows(ask, parseQuery(''), [], START + 60_000);
  const found = await everything(older);
  t.equal(found.length, 550, 'the first page of the moment, and what was before');
  t.ok(times() < 10);
});

t.test('what an agent that fails had told stays', async (t) => {
  let isBroken = false;
  const { ask } = agent(all);
  const failing: Ask = (question, signal) => {
    if (isBroken) throw new Error('the agent does not answer');
    return ask(question, signal);
  };
  const older = new OlderFlows(failing, parseQuery(''), [], START + 1e6);
  await older.more(never);
  const had = older.flows.length;
  isBroken = true;
  await t.rejects(older.more(never), { message: 'the agent does not answer' });
  t.equal(older.flows.length, had);
  isBroken = false;
  t.equal((await everything(older)).length, 3000);
});
