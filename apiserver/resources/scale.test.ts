import t from 'tap';
import type { KubeObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import { bound } from './binding.ts';
import { scaleOf, withScale } from './scale.ts';

const metadata = {
  name: 'web',
  namespace: 'd',
  uid: 'u',
  resourceVersion: '7',
  creationTimestamp: '2026-01-01T00:00:00Z',
};
const DEPLOYMENT: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { ...metadata, labels: { a: 'b' } },
  spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, paused: true },
  status: { replicas: 2 },
};
const PATHS = {
  specReplicasPath: '.spec.size.want',
  statusReplicasPath: '.status.have',
  labelSelectorPath: '.status.sel',
};

const refusal = (work: () => unknown): string => {
  try {
    work();
    return 'none';
  } catch (error) {
    return error instanceof StatusError ? `${error.code} ${error.reason}` : String(error);
  }
};

t.test('scale is how many pods an object is to have, and has', (t) => {
  t.same(scaleOf(DEPLOYMENT), {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: { replicas: 3 },
    status: { replicas: 2, selector: 'app=web' },
  });
  const controller = { ...DEPLOYMENT, spec: { replicas: 1, selector: { b: '2', a: '1' } } };
  t.equal(scaleOf(controller)['status'].selector, 'a=1,b=2');
  const custom = { ...DEPLOYMENT, spec: { size: { want: 4 } }, status: { have: 1, sel: 'x=y' } };
  t.match(scaleOf(custom, PATHS), { spec: { replicas: 4 }, status: { replicas: 1, selector: 'x=y' } });
  t.match(scaleOf({ ...DEPLOYMENT, spec: {}, status: undefined }, PATHS), {
    spec: { replicas: 0 },
    status: { replicas: 0 },
  });
  t.end();
});

t.test('withScale() changes that number alone', (t) => {
  const changed = withScale(DEPLOYMENT, { spec: { replicas: 5 } });
  t.same(changed, { ...DEPLOYMENT, spec: { ...DEPLOYMENT['spec'], replicas: 5 } });
  t.match(withScale({ ...DEPLOYMENT, spec: {} }, { spec: { replicas: 5 } }, PATHS)['spec'], { size: { want: 5 } });
  t.equal(
    refusal(() => withScale(DEPLOYMENT, { spec: { replicas: -1 } })),
    '422 Invalid',
  );
  t.equal(
    refusal(() => withScale(DEPLOYMENT, { spec: { replicas: 1.5 } })),
    '422 Invalid',
  );
  t.equal(
    refusal(() => withScale(DEPLOYMENT, { spec: { replicas: 2 ** 31 } })),
    '422 Invalid',
  );
  t.equal(
    refusal(() => withScale(DEPLOYMENT, { metadata: { resourceVersion: '6' }, spec: { replicas: 1 } })),
    '409 Conflict',
  );
  t.end();
});

t.test('bound() gives a pod its node, once', (t) => {
  const pod: KubeObject = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [] } };
  const nowMs = Date.parse('2026-01-01T00:00:00Z');
  const after = bound(pod, { target: { kind: 'Node', name: 'n1' } }, nowMs);
  t.match(after, {
    spec: { nodeName: 'n1', containers: [] },
    status: { conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  });
  t.equal(
    refusal(() => bound(after, { target: { name: 'n2' } }, nowMs)),
    '409 Conflict',
  );
  t.equal(
    refusal(() => bound(pod, { target: { kind: 'Pod', name: 'n2' } }, nowMs)),
    '422 Invalid',
  );
  t.equal(
    refusal(() => bound(pod, {}, nowMs)),
    '422 Invalid',
  );
  const going = { ...pod, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
  t.equal(
    refusal(() => bound(going, { target: { name: 'n2' } }, nowMs)),
    '409 Conflict',
  );
  t.end();
});
