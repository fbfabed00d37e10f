import t from 'tap';
import { loadConfig } from '../config/config.ts';
import { readFaults } from './fault-text.ts';

t.test('readFaults() takes shares, times and a seed, in any order', async (t) => {
  t.strictSame(readFaults('drop=1%,reorder=2%,duplicate=0.5%,corrupt=0.1%,delay=5ms,jitter=250us,seed=7').faults, {
    seed: 7,
    drop: 0.01,
    corrupt: 0.001,
    duplicate: 0.005,
    reorder: 0.02,
    delayMs: 5,
    jitterMs: 0.25,
  });
  t.match(readFaults('delay=1.5s, drop=0.25').faults, { delayMs: 1500, drop: 0.25, seed: 1 });
  t.match(readFaults('drop=100%').faults, { drop: 1 });
  for (const none of ['', 'none']) t.equal(readFaults(none).faults, null, `"${none}" is none`);
});

t.test('readFaults() says what is wrong', async (t) => {
  for (const [text, problem] of [
    ['lose=1%', /wanted|drop, corrupt/],
    ['drop', /drop, corrupt/],
    ['drop=1%,', /not ""/],
    ['drop=101%', /for drop a share such as 1% or 0.01 \(not "drop=101%"\)/],
    ['drop=-1%', /for drop a share/],
    ['drop=2', /for drop a share/],
    ['delay=5', /for delay a time such as 5ms/],
    ['delay=11s', /at most 10s/],
    ['seed=1e3', /for seed a number/],
    ['drop=1%,drop=2%', /drop once/],
    ['__proto__=1', /drop, corrupt/],
  ] as const) {
    t.match(readFaults(text).problem, problem, text);
  }
});

t.test('the configuration refuses faults that cannot be read', async (t) => {
  t.equal(loadConfig(undefined, { faults: 'drop=1%' }).faults, 'drop=1%');
  t.throws(() => loadConfig(undefined, { faults: 'drop=1' + '01%' }), /faults: .*wanted for drop a share/);
});
