import fc from 'fast-check';
import t from 'tap';
import { StatusError } from '../storage/status-error.ts';
import { decodeObject } from './decode.ts';

/** A field of bytes. */
const field = (number: number, ...parts: (string | Buffer)[]): Buffer => {
  const value = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([number * 8 + 2]), varint(value.length), value]);
};
const number = (at: number, value: number): Buffer => Buffer.concat([Buffer.from([at * 8]), varint(value)]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

const envelope = (apiVersion: string, kind: string, ...message: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from('k8s\0'), field(1, field(1, apiVersion), field(2, kind)), field(2, ...message)]);

/** As `kubectl create namespace shop` sends it. */
const NAMESPACE = envelope(
  'v1',
  'Namespace',
  field(1, field(1, 'shop'), ...[2, 3, 4, 5, 6].map((at) => field(at, '')), number(7, 0), field(8, '')),
  field(2, ''),
  field(3, field(1, '')),
);

t.test('decodeObject() leaves out what Go writes although it is empty', (t) => {
  t.same(decodeObject(NAMESPACE), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  t.end();
});

t.test('decodeObject() reads each type of field', (t) => {
  const metadata = field(
    1,
    field(1, 'web'),
    field(11, field(1, 'app'), field(2, 'web')),
    field(8, number(1, 1_893_456_000)),
  );
  const port = Buffer.concat([field(2, 'TCP'), number(3, 80), number(5, 0)]);
  const target = field(4, number(1, 1), field(3, 'http'));
  const probe = field(11, field(1, field(2, field(1, '/ready'), field(2, number(2, 8080)))), number(2, 5));
  const limits = field(8, field(1, field(1, 'cpu'), field(2, field(1, '100m'))));
  const optional = field(9, field(1, 'v'), field(3, '/v'));
  const container = field(2, field(1, 'c'), field(6, number(3, 80)), probe, limits, optional);
  t.same(decodeObject(envelope('v1', 'Pod', metadata, field(2, container, number(4, 0)))), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', labels: { app: 'web' }, creationTimestamp: '2030-01-01T00:00:00Z' },
    spec: {
      terminationGracePeriodSeconds: 0, // a pointer: it was said
      containers: [
        {
          name: 'c',
          ports: [{ containerPort: 80 }],
          readinessProbe: { httpGet: { path: '/ready', port: 8080 }, initialDelaySeconds: 5 },
          resources: { limits: { cpu: '100m' } },
          volumeMounts: [{ name: 'v', mountPath: '/v' }],
        },
      ],
    },
  });
  t.match(decodeObject(envelope('v1', 'Service', field(2, field(1, port, target)))), {
    spec: { ports: [{ protocol: 'TCP', port: 80, targetPort: 'http' }] },
  });
  t.match(decodeObject(envelope('apps/v1', 'Deployment', field(2, number(1, 0), number(5, 0)))).spec, { replicas: 0 });
  t.match(decodeObject(envelope('v1', 'Secret', field(2, field(1, 'k'), field(2, Buffer.from([255, 0]))))), {
    data: { k: '/wA=' },
  });
  t.end();
});

t.test('decodeObject() refuses what is none, and never fails otherwise', (t) => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('{}'),
    envelope('example.com/v1', 'Widget'),
    envelope('v1', 'Pod').subarray(0, -1),
  ])
    t.throws(() => decodeObject(bytes), StatusError);
  const whole = envelope('v1', 'Pod', field(1, field(1, 'web')), field(2, field(2, field(1, 'c'))));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          decodeObject(bytes);
        } catch (error) {
          if (!(error instanceof StatusError)) throw error;
        }
      },
    ),
    { numRuns: 3000 },
  );
  t.end();
});
