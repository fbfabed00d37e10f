/**
 * Hubble's own command line over what we write: the client that people have. It is built from its Go module, which takes
 * minutes the first time, and is kept below node_modules/.cache. Where there is no Go, or its module proxy does not answer, the
 * test is skipped and says so; the suite has a strict reader of its own (stock-client.test.ts).
 */
import t from 'tap';
import { run } from '../../test/command.ts';
import { dropsOfAllReasons, flowsOfAllKinds } from '../../test/hubble/flows-of-all-kinds.ts';
import { BUILD_MS, stockClient } from '../../test/hubble/stock-client.ts';

t.setTimeout(2 * BUILD_MS);

const { client = '', reason } = await stockClient();

t.test('hubble observe reads all that we write, without a warning', { skip: reason ?? false }, async (t) => {
  const flows = [...flowsOfAllKinds(), ...dropsOfAllReasons()];
  const input = flows.map((flow) => JSON.stringify({ flow, node_name: flow.node_name, time: flow.time })).join('\n');
  const observe = (...args: string[]) =>
    run([client, 'observe', '--input-file', '-', ...args], { input: `${input}\n` });
  for (const output of ['compact', 'dict', 'jsonpb']) {
    const { code, stdout, stderr } = await observe('-o', output);
    t.equal(code, 0);
    t.equal(stderr, '', `${output}: no warning`);
    const count = output === 'dict' ? stdout.split('TIMESTAMP:').length - 1 : stdout.trimEnd().split('\n').length;
    t.equal(count, flows.length, `${output}: every flow`);
    if (output === 'jsonpb') t.equal(stdout, `${input}\n`, 'it writes what we write');
  }
  const ours = await observe('--verdict', 'DROPPED', '--drop-reason-desc', 'POLICY_DENIED', '--type', 'drop');
  t.match(ours.stdout, 'Policy denied DROPPED (Denied by L7 policy; TCP Flags: SYN)', 'our own text is shown');
});
