import t from 'tap';
import type { KubeObject, NewObject } from '../apiserver/storage/kube-object.ts';
import { KubeWorld } from '../test/kube-world.ts';
import { readIndexes, writeIndexes } from './job-spec.ts';

const JOBS = 'jobs.batch';
const CRON_JOBS = 'cronjobs.batch';

function job(spec: object = {}, name = 'work'): NewObject {
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace: 'default' }, spec: { ...SPEC, ...spec } };
}

const SPEC = { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox' }] } } };

const active = (at: KubeWorld): KubeObject[] => at.pods().filter((pod) => pod['status'].phase === 'Running');
const condition = (at: KubeWorld, type: string, name = 'work'): string => {
  const found = ((at.status(JOBS, name).conditions ?? []) as { type: string; status: string; reason: string }[]).find(
    (one) => one.type === type,
  );
  return found === undefined ? 'none' : `${found.status} ${found.reason}`;
};

t.test('a Job runs its pods to their end, and no more at a time than it says', (t) => {
  const at = new KubeWorld();
  at.create(JOBS, job({ completions: 3, parallelism: 2 }));
  const { uid } = at.get(JOBS, 'work').metadata;
  t.same(at.get(JOBS, 'work')['spec'].selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } });
  t.equal(active(at).length, 2);
  t.match(active(at)[0].metadata, { labels: { 'job-name': 'work', 'batch.kubernetes.io/job-name': 'work' } });
  t.match(at.status(JOBS, 'work'), { active: 2, ready: 2, startTime: '2026-01-01T00:00:00Z' });
  at.end(active(at)[0], 'Succeeded');
  t.match(at.status(JOBS, 'work'), { active: 2, succeeded: 1 });
  at.end(active(at)[0], 'Succeeded');
  t.match(at.status(JOBS, 'work'), { active: 1, succeeded: 2 }, 'three are wanted, not four');
  at.clock.advance(5000);
  at.end(active(at)[0], 'Succeeded');
  t.match(at.status(JOBS, 'work'), { active: undefined, succeeded: 3, completionTime: '2026-01-01T00:00:05Z' });
  t.same(at.status(JOBS, 'work').uncountedTerminatedPods, {});
  t.equal(condition(at, 'Complete'), 'True CompletionsReached');
  t.equal(at.pods().length, 3);
  for (const { metadata } of at.pods()) t.same(metadata.finalizers, []);
  t.ok(at.events('work').includes('Completed: Job completed'));
  t.end();
});

t.test('a pod that ends badly is made again, later each time, up to the limit', (t) => {
  const at = new KubeWorld();
  at.create(JOBS, job({ backoffLimit: 2 }));
  at.end(active(at)[0], 'Failed');
  t.equal(active(at).length, 0);
  at.clock.advance(9_000);
  t.equal(active(at).length, 0);
  at.clock.advance(1_000);
  t.equal(active(at).length, 1);
  at.end(active(at)[0], 'Failed');
  at.clock.advance(19_000);
  t.equal(active(at).length, 0);
  at.clock.advance(1_000);
  at.end(active(at)[0], 'Failed');
  t.match(at.status(JOBS, 'work'), { failed: 3, active: undefined });
  t.equal(condition(at, 'Failed'), 'True BackoffLimitExceeded');
  at.clock.advance(3_600_000);
  t.equal(at.pods().length, 3);
  t.end();
});

t.test('a pod that is deleted is counted all the same, also while nobody looks', (t) => {
  const at = new KubeWorld();
  at.create(JOBS, job({ completions: 2 }));
  const [pod] = active(at);
  at.controllers.stop();
  const { name } = pod.metadata;
  at.storage.update('pods', 'default', name, (one) => ({ ...one, status: { ...one['status'], phase: 'Succeeded' } }));
  at.storage.delete('pods', 'default', name);
  t.ok(at.storage.get('pods', 'default', name), 'its finalizer holds it');
  at.restart();
  t.equal(at.storage.get('pods', 'default', name), undefined);
  t.match(at.status(JOBS, 'work'), { succeeded: 1, active: 1 });
  at.restart();
  t.match(at.status(JOBS, 'work'), { succeeded: 1, active: 1 });
  at.delete('pods', active(at)[0].metadata.name);
  t.match(at.status(JOBS, 'work'), { succeeded: 1, failed: 1 }, 'one that ran and was taken away has failed');
  t.end();
});

t.test('Indexed: each pod has a number until that number is done', (t) => {
  const at = new KubeWorld();
  at.create(JOBS, job({ completions: 3, parallelism: 3, completionMode: 'Indexed' }));
  const indexed = (): string[] => active(at).map(({ metadata }) => metadata.name.replace(/-[a-z0-9]{5}$/, ''));
  t.same(indexed(), ['work-0', 'work-1', 'work-2']);
  t.match(active(at)[1], {
    metadata: { annotations: { 'batch.kubernetes.io/job-completion-index': '1' } },
    spec: { hostname: 'work-1', containers: [{ env: [{ name: 'JOB_COMPLETION_INDEX', value: '1' }] }] },
  });
  const [zero, one, two] = active(at);
  at.end(zero, 'Succeeded');
  at.end(two, 'Succeeded');
  t.equal(at.status(JOBS, 'work').completedIndexes, '0,2');
  at.end(one, 'Failed');
  at.clock.advance(10_000);
  t.same(indexed(), ['work-1']);
  at.end(active(at)[0], 'Succeeded');
  t.equal(at.status(JOBS, 'work').completedIndexes, '0-2');
  t.equal(condition(at, 'Complete'), 'True CompletionsReached');
  t.end();
});

t.test('suspend, deadline, ttl', (t) => {
  const at = new KubeWorld();
  at.create(JOBS, job({ suspend: true, activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 30 }));
  t.equal(condition(at, 'Suspended'), 'True JobSuspended');
  t.equal(at.pods().length, 0);
  at.clock.advance(100_000);
  at.patchSpec(JOBS, 'work', { suspend: false });
  t.equal(condition(at, 'Suspended'), 'False JobResumed');
  t.equal(active(at).length, 1);
  at.patchSpec(JOBS, 'work', { suspend: true });
  t.equal(at.pods().length, 0);
  t.notOk(at.status(JOBS, 'work').failed, 'what the Job takes away has not failed');
  at.patchSpec(JOBS, 'work', { suspend: false });
  at.clock.advance(59_000);
  t.equal(active(at).length, 1);
  at.clock.advance(2_000);
  t.equal(active(at).length, 0);
  t.equal(condition(at, 'Failed'), 'True DeadlineExceeded');
  at.clock.advance(28_000);
  t.ok(at.storage.get(JOBS, 'default', 'work'));
  at.clock.advance(2_000);
  t.equal(at.storage.get(JOBS, 'default', 'work'), undefined);
  t.end();
});

t.test('a Job that goes takes its pods with it, and hostile numbers stay within the node', (t) => {
  const at = new KubeWorld({ maxPods: 10 });
  at.create(JOBS, job({ parallelism: 1e9, completions: 1e9, completionMode: 'Indexed' }));
  t.equal(at.pods().length, 10);
  t.match(at.status(JOBS, 'work'), { active: 10 });
  at.clock.advance(600_000);
  t.equal(at.pods().length, 10);
  at.delete(JOBS, 'work', { propagationPolicy: 'Background' });
  t.equal(at.pods().length, 0);
  at.create(JOBS, job({ parallelism: 3 }, 'again'));
  at.delete(JOBS, 'again', { propagationPolicy: 'Foreground' });
  t.equal(at.pods().length, 0);
  t.same(at.names(JOBS), []);
  t.end();
});

t.test('indexes as text', (t) => {
  t.equal(writeIndexes([5, 1, 2, 3, 9]), '1-3,5,9');
  t.same([...readIndexes('1-3,5,x,9-')], [1, 2, 3, 5]);
  t.equal(writeIndexes(readIndexes('')), '');
  t.end();
});

function cronJob(spec: object = {}): NewObject {
  const jobTemplate = { metadata: { labels: { a: 'b' } }, spec: SPEC };
  const metadata = { name: 'tick', namespace: 'default' };
  return { apiVersion: 'batch/v1', kind: 'CronJob', metadata, spec: { schedule: '*/5 * * * *', jobTemplate, ...spec } };
}

const MINUTE = 60_000;

t.test('a CronJob makes a Job each time, and keeps a few that are over', (t) => {
  const at = new KubeWorld({ becomesReady: () => false });
  at.create(CRON_JOBS, cronJob({ timeZone: 'UTC' }));
  t.same(at.names(JOBS), []);
  at.clock.advance(5 * MINUTE);
  const [made] = at.storage.list(JOBS);
  const minutes = Date.parse('2026-01-01T00:05:00Z') / MINUTE;
  t.match(made, {
    metadata: {
      name: `tick-${minutes}`,
      labels: { a: 'b' },
      annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T00:05:00Z' },
      ownerReferences: [{ kind: 'CronJob', name: 'tick', controller: true }],
    },
  });
  t.match(at.status(CRON_JOBS, 'tick'), {
    lastScheduleTime: '2026-01-01T00:05:00Z',
    active: [{ name: `tick-${minutes}` }],
  });
  for (let i = 0; i < 6; i++) {
    for (const pod of active(at)) at.end(pod, 'Succeeded');
    at.clock.advance(5 * MINUTE);
  }
  t.equal(at.names(JOBS).length, 4, 'three that are over, one that runs');
  t.match(at.status(CRON_JOBS, 'tick'), { lastSuccessfulTime: /^2026-01-01T00:30/ });
  at.delete(CRON_JOBS, 'tick');
  t.same([at.names(JOBS), at.pods()], [[], []]);
  t.end();
});

t.test('concurrencyPolicy', (t) => {
  for (const [concurrencyPolicy, jobs] of [
    ['Allow', 3],
    ['Forbid', 1],
    ['Replace', 1],
  ] as const) {
    const at = new KubeWorld({ becomesReady: () => false });
    at.create(CRON_JOBS, cronJob({ concurrencyPolicy, timeZone: 'UTC' }));
    at.clock.advance(15 * MINUTE);
    t.equal(at.names(JOBS).length, jobs, concurrencyPolicy);
    const [first] = at.names(JOBS);
    t.equal(first.endsWith(String(Date.parse('2026-01-01T00:05:00Z') / MINUTE)), concurrencyPolicy !== 'Replace');
  }
  t.end();
});

t.test('times that were missed: the last one is made good, when it is not too old', (t) => {
  const at = new KubeWorld({ becomesReady: () => false });
  at.create(CRON_JOBS, cronJob({ schedule: '* * * * *', timeZone: 'UTC' }));
  at.controllers.stop();
  at.clock.advance(3 * 24 * 60 * MINUTE + 30_000);
  at.restart();
  t.equal(at.names(JOBS).length, 1);
  t.match(at.events('tick'), ['TooManyMissedTimes: ', 'SuccessfulCreate: ']);
  t.match(at.status(CRON_JOBS, 'tick'), { lastScheduleTime: '2026-01-04T00:00:00Z' });
  at.patchSpec(CRON_JOBS, 'tick', { schedule: '0 12 * * *', startingDeadlineSeconds: 60 });
  at.controllers.stop();
  at.clock.advance(13 * 60 * MINUTE);
  at.restart();
  t.equal(at.names(JOBS).length, 1, 'an hour is too late');
  at.patchSpec(CRON_JOBS, 'tick', { suspend: true });
  at.clock.advance(24 * 60 * MINUTE);
  t.equal(at.names(JOBS).length, 1);
  at.patchSpec(CRON_JOBS, 'tick', { schedule: 'whenever', suspend: false });
  t.match(at.events('tick').at(-1), 'UnparseableSchedule: ');
  t.end();
});
