/** Ten million flows, or FLOWS of them: the figures of docs/decisions/0016-flow-history.md. */
import t from 'tap';
import { ManyFlows } from '../../test/many-flows.ts';

t.setTimeout(3_600_000);

const COUNT = Number(process.env['FLOWS'] ?? 10_000_000);

t.test(`${COUNT} flows are written, and questions answered`, async (t) => {
  const flows = new ManyFlows(t);
  await flows.write(COUNT);
  await flows.ask();
  t.comment('again, when the disk and the compiler are warm');
  await flows.ask();
});
