// 200,000 frames, most of them nearly right: see test/stream/http2-mutation.ts. SEED=n repeats a run, FRAMES=n lengthens it.
import t from 'tap';
import { mutateHttp2 } from '../../test/stream/http2-mutation.ts';

const SEED = Number(process.env['SEED'] ?? 20240301);
const FRAMES = Number(process.env['FRAMES'] ?? 200_000);
t.setTimeout(3_600_000);

t.test(`${FRAMES} frames: the server sees what is legal and allowed, whatever comes`, (t) => {
  const { frames, connections, served, ended, faults } = mutateHttp2(SEED, FRAMES);
  t.comment(
    `seed ${SEED}: ${frames} frames, ${connections} connections, ${ended} ended here, ${served} requests served`,
  );
  t.strictSame(faults, []);
  t.ok(served > frames / 50);
  t.ok(ended > connections / 10 && ended < connections);
  t.end();
});
