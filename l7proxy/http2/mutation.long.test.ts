// Ten million frames: see test/stream/http2-mutation.ts. SEED=n repeats a run.
import t from 'tap';
import { mutateHttp2 } from '../../test/stream/http2-mutation.ts';

const SEED = Number(process.env['SEED'] ?? 20240302);
t.setTimeout(3_600_000);

t.test('ten million frames: the server sees what is legal and allowed, whatever comes', (t) => {
  const { faults, connections, served } = mutateHttp2(SEED, 10_000_000);
  t.comment(`seed ${SEED}: ${connections} connections, ${served} requests served`);
  t.strictSame(faults, []);
  t.end();
});
