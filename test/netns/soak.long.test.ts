/**
 * Mixed traffic over policies that change all the time, for five minutes (SLUICE_SOAK_SEC changes that): what the policies
 * always allow never fails, what they always refuse never passes, and agent and dataplane end with the memory and the
 * descriptors that they had once warm. Uses the rig of examples/tour.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, PATIENCE_SEC, run } from '../command.ts';
import { loadExample } from '../example.ts';
import { SluiceInstance } from '../rig.ts';

const TOUR = join(import.meta.dirname, '../../../examples/tour');
const SOAK_SEC = Number(process.env['SLUICE_SOAK_SEC'] ?? 300);
const WARM_UP_SEC = SOAK_SEC / 5;
const CHURN_MS = 100;
const GROWTH_MIB = 24; // what garbage not yet collected may amount to

/** Opens the backend to the stranger and closes it again; the frontend's rules stay as they are. */
const churned = (round: number) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: churn-${round % 7}, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: backend } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: stranger } }]
      toPorts:
        - ports: [{ port: "${9000 + (round % 50)}", protocol: TCP }]
`;

interface Usage {
  memoryMiB: number;
  descriptors: number;
}

const usageOf = (pid: number): Usage => ({
  memoryMiB: Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
  descriptors: readdirSync(`/proc/${pid}/fd`).length,
});

/** Repeats `step` until `isOver`; counts how often it was done. */
async function repeat(isOver: () => boolean, step: () => Promise<void>): Promise<number> {
  let times = 0;
  for (; !isOver(); times++) await step();
  return times;
}

t.test(
  'mixed traffic under policy churn leaks nothing and breaks nothing',
  { timeout: (SOAK_SEC + 600) * 1000 },
  async (t) => {
    const cleanup = new Cleanup();
    t.teardown(() => cleanup.finish());
    const name = `slk${process.pid.toString(36)}`;
    const example = loadExample(TOUR);
    const instance = await SluiceInstance.withRig(name, cleanup, example.manifests);
    t.teardown(() => instance.stop());
    await instance.apply(join(TOUR, 'policies/policies.yaml'));

    const [backend, backend6] = example.addresses.get('shop/backend') ?? [];
    const end = performance.now() + SOAK_SEC * 1000;
    const isOver = () => performance.now() >= end;
    const inside = (pod: string, argv: string[]) =>
      run(inNetns(instance.netnsOf(pod), argv), { timeoutMs: (SOAK_SEC + 300) * 1000 });
    const wrong = new Map<string, number>();
    const check = (what: string, isRight: boolean) => {
      if (!isRight) wrong.set(what, (wrong.get(what) ?? 0) + 1);
    };
    const request = async (method: string, path: string, host: string | undefined, wanted: string) => {
      const url = `http://${host}:8080${path}`;
      const argv = [
        'curl',
        '-sSg',
        '-m',
        String(PATIENCE_SEC),
        '-o',
        '/dev/null',
        '-X',
        method,
        '-w',
        '%{http_code}',
        url,
      ];
      const { code, stdout, stderr } = await inside('shop/frontend', argv);
      check(`${method} ${url}: wanted ${wanted}, found ${stdout}, exit ${code} ${stderr.trim()}`, stdout === wanted);
    };

    const iperf = `iperf3 -c ${backend} -t ${SOAK_SEC} -b 200M --bidir -J`;
    const stream = inside('shop/frontend', iperf.split(' '));
    /** One change every 100 ms: a policy is applied, the next time deleted. */
    const churn = async (): Promise<number> => {
      let round = 0;
      for (; !isOver(); round++) {
        const next = new Promise((resolve) => setTimeout(resolve, CHURN_MS));
        const verb = round % 2 === 0 ? 'apply' : 'delete';
        const { status, text } = await instance.call('POST', `/v1/${verb}?file=churn.yaml`, churned(round >> 1));
        check(`the agent takes a change: ${verb}: ${text}`, status === 200);
        await next;
      }
      return round;
    };

    let warm: Usage[] | undefined;
    const counts = await Promise.all([
      churn(),
      repeat(isOver, () => request('GET', '/public', backend, '200')),
      repeat(isOver, () => request('GET', '/public', `[${backend6}]`, '200')),
      repeat(isOver, () => request('GET', '/private', backend, '403')),
      repeat(isOver, async () => {
        const { code } = await inside('shop/stranger', ['nc', '-nz', '-w', '1', backend, '8080']);
        check('the stranger stays out', code !== 0);
      }),
      repeat(isOver, async () =>
        check('ping', (await inside('shop/frontend', ['ping', '-nqc', '5', '-i', '0.1', backend])).code === 0),
      ),
      repeat(isOver, async () => {
        if (warm === undefined && performance.now() >= end - (SOAK_SEC - WARM_UP_SEC) * 1000)
          warm = instance.pids().map(usageOf);
        await instance.flows(100);
      }),
    ]);
    const report = JSON.parse((await stream).stdout);

    t.notOk(report.error, 'one iperf3 connection lasted all the time');
    t.same([...wrong], [], `${counts.join(', ')} rounds`);
    const cold = instance.pids().map(usageOf);
    t.equal(cold.length, warm?.length, 'the same processes');
    cold.forEach((now, index) => {
      const before = warm?.[index] ?? now;
      t.ok(
        now.memoryMiB - before.memoryMiB < GROWTH_MIB,
        `memory: ${before.memoryMiB.toFixed(1)} -> ${now.memoryMiB.toFixed(1)} MiB`,
      );
      t.ok(now.descriptors <= before.descriptors + 8, `descriptors: ${before.descriptors} -> ${now.descriptors}`);
    });
  },
);
