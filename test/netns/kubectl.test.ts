/**
 * Stock kubectl, old and new, against the Kubernetes API of an agent in a namespace of its own:
 *
 *     kubectl ── TLS, client certificate ── 127.0.0.1:6443 (thread of sluiced) ── sluiced ── sluice-dataplane
 *
 * What runs in pods is shown elsewhere; here are objects: every verb and form of output that people type.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { programPath } from '../../linux/programs.ts';
import { type Outcome, Cleanup, inNetns, must, run, start, waitFor } from '../command.ts';
import { type Kubectl, kubectls } from '../kubectls.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `sla${process.pid.toString(36)}`;
const instance = await SluiceInstance.onHost(name, cleanup, 'kube-api: true\n');
t.teardown(() => instance.stop());
const folder = (await must(['mktemp', '-d'])).trim();
cleanup.command('rm', '-r', folder);
await waitFor('the kubeconfig', () => existsSync(`${instance.runDir}/kubeconfig`));

const POLICY = 'apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n';
const FILES: Readonly<Record<string, string>> = {
  'web.yaml': `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: busybox, command: [sleep, '1000']}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`,
  'bad.yaml': `${POLICY}metadata: {name: bad}\nspec: {endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "99999"}]}]}]}\n`,
  'bold.yaml':
    'apiVersion: v1\nkind: Pod\nmetadata: {name: bold, annotations: {sluice.io/netns: /proc/1/ns/net}}\nspec: {containers: [{name: c, image: busybox}]}\n',
  'good.yaml': `${POLICY}metadata: {name: good}\nspec: {endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}\n`,
  'netpol.yaml':
    'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n',
  'crd.yaml': `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
    - name: v1
      served: true
      storage: true
      additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
`,
  'cilium-crd.yaml': `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ciliumnetworkpolicies.cilium.io, annotations: {controller-gen.kubebuilder.io/version: v0.16.5}}
spec:
  group: cilium.io
  scope: Cluster
  names: {plural: ciliumnetworkpolicies, singular: ciliumnetworkpolicy, kind: CiliumNetworkPolicy, listKind: CiliumNetworkPolicyList}
  versions:
    - {name: v2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object}}}}}
`,
  'widget.yaml': 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: small}\nspec: {size: 3}\n',
  'held.yaml':
    'apiVersion: v1\nkind: Service\nmetadata: {name: held, namespace: elsewhere}\nspec: {ports: [{port: 81}]}\n',
};
for (const [file, text] of Object.entries(FILES)) writeFileSync(join(folder, file), text);

/** One kubectl, in a namespace of its own. */
class Typist {
  readonly version: string;
  readonly namespace: string;
  readonly #argv: readonly string[];

  constructor({ path, version }: Kubectl) {
    this.version = version;
    this.namespace = `kubectl-${version.replace('.', '-')}`;
    const home = join(folder, version);
    const environment = ['env', `HOME=${home}`, `KUBECONFIG=${instance.runDir}/kubeconfig`];
    this.#argv = [...environment, path];
  }

  /** What kubectl is run as. */
  argv(words: string): string[] {
    return inNetns(`${name}-host`, [...this.#argv, '-n', this.namespace, ...wordsOf(words)]);
  }

  run(words: string): Promise<Outcome> {
    return run(this.argv(words), { cwd: folder });
  }

  /** Its standard output; it must succeed. */
  async say(words: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(words);
    if (code !== 0) throw new Error(`kubectl ${this.version} ${words}: exit ${code}: ${stderr}`);
    return stdout;
  }
}

/** At blanks, but for those in quotes, as a shell does. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''));
}

async function discovers(t: Test, { say, version }: { say: Typist['say']; version: string }): Promise<void> {
  t.match(await say('version'), 'v1.37.2+sluice');
  t.match(await say('api-versions'), /apps\/v1\n[\s\S]*cilium\.io\/v2\n/);
  t.match(await say('api-resources --namespaced=true -o name'), 'deployments.apps\n');
  t.match(await say('api-resources'), /ciliumnetworkpolicies +cnp,ciliumnp/);
  t.match(await say('cluster-info'), 'https://127.0.0.1:6443');
  t.match(await say('auth can-i delete pods'), 'yes');
  t.match(await say('explain pods.spec.nodeName'), /nodeName\s+<string>/);
  t.match(await say('get --raw /readyz'), 'ok');
  if (Number(version.slice(2)) > 28) t.match(await say('auth whoami'), 'kubernetes-admin');
}

async function writes(t: Test, { say, run: runs, namespace }: Bound): Promise<void> {
  t.match(await say(`create ns ${namespace}`), `namespace/${namespace} created`);
  t.match((await runs(`create ns ${namespace}`)).stderr, 'already exists');
  t.match(await say('apply -f web.yaml'), 'deployment.apps/web created\nservice/web created\n');
  t.match(await say('apply -f web.yaml'), 'deployment.apps/web unchanged\nservice/web unchanged\n');
  t.equal((await runs('diff -f web.yaml')).code, 0);
  t.match(await say('get svc web -o jsonpath={.spec.clusterIP}'), /^10\.96\.\d+\.\d+$/, 'given before the answer');
  t.match(await say('label deploy web tier=front'), 'labeled');
  t.match(await say('annotate deploy web note=a'), 'annotated');
  t.match(await say(`patch svc web -p '{"metadata":{"labels":{"kind":"strategic"}}}'`), 'patched');
  t.match(await say(`patch svc web --type=merge -p '{"metadata":{"labels":{"kind":"merge"}}}'`), 'patched');
  t.match(
    await say(`patch svc web --type=json -p '[{"op":"add","path":"/metadata/labels/more","value":"json"}]'`),
    'patched',
  );
  t.match(JSON.parse(await say('get svc web -o json')), {
    metadata: { labels: { app: 'web', kind: 'merge', more: 'json' } },
  });
  t.match(await say('apply -f web.yaml'), 'unchanged', 'what others have added stays');
  t.match(await say('scale deploy web --replicas=2'), 'scaled');
  t.equal(await say('get deploy web -o jsonpath={.spec.replicas}'), '2');
  await waitFor('two pods', async () => (await say('get pods -l app=web -o name')).trim().split('\n').length === 2);
  t.match(await say('scale deploy web --replicas=0'), 'scaled');
  t.match(await say('apply --dry-run=server -f web.yaml'), '(server dry run)');
  t.match(await say('create cm one --from-literal=a=b'), 'created');
  t.match(await say(`create secret generic two --from-literal=c=d`), 'created');
  t.equal(await say('get secret two -o jsonpath={.data.c}'), 'ZA==');
  t.match(await say('create deployment three --image=busybox'), 'created');
  t.match(await say('run four --image=busybox --labels=app=four -- sleep 1000'), 'pod/four created');
  t.match(await say('expose pod four --port=80'), 'service/four exposed');
  t.match(await say('delete deploy,svc,pod,cm,secret --all --wait=false'), 'deployment.apps "three" deleted');
  await waitFor('nothing to be left', async () => (await say('get deploy,svc -o name')) === '');
}

type Bound = { say: Typist['say']; run: Typist['run']; argv: Typist['argv']; namespace: string; version: string };

async function shows(t: Test, { say, run: runs, argv }: Bound): Promise<void> {
  await say('apply -f web.yaml');
  t.match(await say('get deploy'), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/0 +0 +0 +\S+\n$/);
  t.match(await say('get deploy -o wide'), /CONTAINERS +IMAGES +SELECTOR\n.*web +busybox +app=web\n$/);
  t.equal(await say('get deploy,svc -o name'), 'deployment.apps/web\nservice/web\n');
  t.match(await say('get svc web -o yaml'), /^apiVersion: v1\nkind: Service\n/);
  t.equal(await say('get svc -o custom-columns=N:.metadata.name,P:.spec.ports[0].port'), 'N     P\nweb   80\n');
  t.equal(await say(`get svc -o go-template='{{range .items}}{{.metadata.name}}{{end}}'`), 'web');
  t.match(await say('get svc --show-labels'), 'app=web');
  t.match(await say('get svc -L app'), /APP\n/);
  t.equal(await say('get svc -l app!=web -o name'), '');
  t.equal(await say(`get svc -l 'app in (web,db)' -o name`), 'service/web\n');
  t.equal(await say('get svc --field-selector=metadata.name=web -o name'), 'service/web\n');
  t.match(await say('get svc --sort-by=.metadata.name'), 'web');
  t.match(await say('get cm --chunk-size=1'), 'kube-root-ca.crt');
  t.match(await say('get all'), 'deployment.apps/web');
  t.match(await say('describe deploy web'), /Selector: +app=web/);
  t.match(await say('describe svc web'), /TargetPort: +8080\/TCP/);
  t.match(await say('describe node'), /Roles:/);
  t.match(await say('get events'), /^LAST SEEN|^$/);
  t.match((await runs('get widgets')).stderr, `the server doesn't have a resource type "widgets"`);
  const watching = start(argv('get cm -w --output-watch-events'));
  const only = start(argv('get cm --watch-only -o name'));
  await waitFor('the first list', () => watching.output().includes('kube-root-ca.crt'));
  // The other one says nothing when it has begun.
  await waitFor('the events', async () => {
    await say('create cm seen');
    await say('delete cm seen');
    return only.output().includes('configmap/seen');
  });
  await waitFor('all events', () => /DELETED +seen/.test(watching.output()));
  t.notMatch(only.output(), 'kube-root-ca.crt');
  for (const one of [watching, only]) one.child.kill();
}

async function appliesOnTheServer(t: Test, { say, run: runs }: Bound): Promise<void> {
  writeFileSync(
    join(folder, 'mine.yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {a: mine}\n',
  );
  writeFileSync(
    join(folder, 'yours.yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {a: yours}\n',
  );
  t.match(await say('apply --server-side --field-manager=me -f mine.yaml'), 'serverside-applied');
  const refused = await runs('apply --server-side --field-manager=you -f yours.yaml');
  t.match(refused, { code: 1, stderr: /conflict with "me"/ });
  t.match(await say('apply --server-side --field-manager=you --force-conflicts -f yours.yaml'), 'serverside-applied');
  t.equal(await say('get cm shared -o jsonpath={.data.a}'), 'yours');
  await say('replace -f mine.yaml');
  t.equal(await say('get cm shared -o jsonpath={.data.a}'), 'mine');
  t.match(await runs('create -f mine.yaml'), { code: 1, stderr: /already exists/ });
}

async function enforces(t: Test, { say, run: runs, namespace }: Bound): Promise<void> {
  const own = await instance.cli('policy', 'validate', join(folder, 'bad.yaml'));
  const [, sentence = ''] = /error: (.*)\n/.exec(own.stderr + own.stdout) ?? [];
  t.ok(sentence);
  const refused = await runs('apply -f bad.yaml');
  t.equal(refused.code, 1);
  t.ok(refused.stderr.includes(sentence), `${refused.stderr} has ${sentence}`);
  const bold = await runs('apply -f bold.yaml');
  t.match(bold, { code: 1, stderr: /wanted none: a pod of a Kubernetes API gets a network namespace of its own/ });
  await say('apply -f good.yaml -f netpol.yaml');
  const policies = (await instance.read('/v1/policies')) as { namespace: string; name: string }[];
  const ours = policies.filter((one) => one.namespace === namespace).map((one) => one.name);
  t.same(ours.sort(), ['deny', 'good'], 'in force before kubectl is answered');
  t.match(await say('get cnp'), /good +\S+ +True/);
  t.match(await say('describe netpol deny'), 'Policy Types: Ingress');
  await say('delete netpol,cnp --all');
  const left = (await instance.read('/v1/policies')) as { namespace: string }[];
  t.notOk(left.some((one) => one.namespace === namespace));
}

async function definesKinds(t: Test, { say, run: runs }: Bound): Promise<void> {
  t.match(await say('get crd'), /^NAME +CREATED AT\nciliumcidrgroups\.cilium\.io +\S+Z\n/);
  const built = 'crd/ciliumnetworkpolicies.cilium.io';
  await say(`wait --for=condition=established --timeout=20s ${built}`);
  const applied = await runs('apply -f cilium-crd.yaml');
  t.match(applied, { code: 0, stderr: /Warning: this kind is built in: its definition stays as it is/ });
  t.match(await runs('apply --server-side -f cilium-crd.yaml'), { code: 0, stderr: /Warning: this kind is built in/ });
  t.equal(await say(`get ${built} -o jsonpath={.spec.scope}`), 'Namespaced');
  t.match((await runs('create -f cilium-crd.yaml')).stderr, 'AlreadyExists');
  t.match((await runs(`delete ${built}`)).stderr, 'this kind is built in, and stays');
  t.match(await say('explain cnp.spec.endpointSelector'), 'endpointSelector');
  await say('apply -f crd.yaml');
  await say('wait --for=condition=established --timeout=20s crd/widgets.example.com');
  await say('apply -f widget.yaml');
  t.match(await say('get wd'), /^NAME +SIZE\nsmall +3\n$/);
  t.match(await say('explain widgets.spec'), /size\s+<integer>/);
  await say('delete -f crd.yaml');
  t.equal((await runs('get wd')).code, 1);
}

async function mirrors(t: Test, { say, run: runs }: Bound): Promise<void> {
  await instance.cli('apply', '-f', join(folder, 'held.yaml'));
  await waitFor('it to be seen', async () => (await runs('get svc held -n elsewhere')).code === 0);
  const source = await say(`get svc held -n elsewhere -o 'jsonpath={.metadata.annotations.sluice\\.io/source}'`);
  t.match(source, /held\.yaml:\d+$/);
  const refused = await runs('label svc held -n elsewhere a=b');
  t.match(refused, { code: 1, stderr: /it is held by .*held\.yaml:\d+, not by this API/ });
  await instance.cli('delete', '-f', join(folder, 'held.yaml'));
  await waitFor('it to be gone', async () => (await runs('get svc held -n elsewhere')).code === 1);
}

for (const kubectl of kubectls()) {
  const typist = new Typist(kubectl);
  const { version, namespace } = typist;
  const bound: Bound = {
    say: (words) => typist.say(words),
    run: (words) => typist.run(words),
    argv: (words) => typist.argv(words),
    ...{ version, namespace },
  };
  await t.test(`kubectl ${version}`, async (t) => {
    t.teardown(() => bound.run(`delete ns ${namespace} --wait=false`));
    await t.test('finds out what there is', (t) => discovers(t, bound));
    await t.test('creates, applies, patches, scales and deletes', (t) => writes(t, bound));
    await t.test('shows objects in every form, and as they change', (t) => shows(t, bound));
    await t.test('applies on the server, with who has which field', (t) => appliesOnTheServer(t, bound));
    await t.test('is refused what policy validate refuses, and answered when a policy is in force', (t) =>
      enforces(t, bound),
    );
    await t.test('defines kinds of its own', (t) => definesKinds(t, bound));
    await t.test('sees what others hold, and is told where', (t) => mirrors(t, bound));
  });
}

t.test('what was answered is there after a kill -9 of the agent in the middle of writes', async (t) => {
  const [kubectl] = kubectls().slice(-1);
  const typist = new Typist({ ...kubectl, version: 'killed' });
  await typist.say(`create ns ${typist.namespace}`);
  const answered: string[] = [];
  let isDead = false;
  const writing = (async () => {
    for (let i = 0; !isDead; i++)
      if ((await typist.run(`create cm n${i} --from-literal=i=${i}`)).code === 0) answered.push(`n${i}`);
  })();
  await waitFor('some writes', () => answered.length >= 5);
  process.kill(instance.agent.pid, 'SIGKILL');
  await instance.untilAgentEnded();
  isDead = true;
  await writing;
  await instance.restartAgent();
  await waitFor('the API', async () => (await typist.run('get --raw /readyz')).code === 0);
  const found = (await typist.say('get cm -o name')).split('\n').map((line) => line.replace('configmap/', ''));
  t.same(
    answered.filter((one) => !found.includes(one)),
    [],
  );
  t.match(readFileSync(`${instance.runDir}/kubeconfig`, 'utf8'), '127.0.0.1:6443');
});

t.test(
  'sluice kubectl runs kubectl with the kubeconfig, and the API goes on over an upgrade of the agent',
  async (t) => {
    const sluice = [process.execPath, programPath('sluice'), 'kubectl', '--run-dir', instance.runDir];
    const { code, stdout, stderr } = await run(inNetns(`${name}-host`, [...sluice, 'get', '--raw', '/healthz']));
    // Not every machine has one in its PATH.
    if (code === 127) t.match(stderr, 'found none in PATH');
    else t.same([code, stdout], [0, 'ok'], stderr);
    const typist = new Typist({ ...kubectls()[0], version: 'upgraded' });
    await typist.say(`create ns ${typist.namespace}`);
    await typist.say('create cm kept');
    const uid = await typist.say('get cm kept -o jsonpath={.metadata.uid}');
    process.kill(instance.agent.pid, 'SIGUSR2');
    await instance.restartAgent();
    await waitFor('the API', async () => (await typist.run('get --raw /readyz')).code === 0);
    t.equal(await typist.say('get cm kept -o jsonpath={.metadata.uid}'), uid);
  },
);

t.test('nobody gets in without the certificate, and two agents do not share a port', async (t) => {
  const ask = (...more: string[]) =>
    run(inNetns(`${name}-host`, ['curl', '-sk', '-m', '5', ...more, 'https://127.0.0.1:6443/api']));
  t.not((await ask()).code, 0);
  const forged =
    '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /O=system:masters/CN=kubernetes-admin';
  await must([
    'openssl',
    'req',
    '-x509',
    ...forged.split(' '),
    '-keyout',
    join(folder, 'key'),
    '-out',
    join(folder, 'crt'),
  ]);
  const { code, stdout } = await ask('--cert', join(folder, 'crt'), '--key', join(folder, 'key'));
  t.not(code, 0);
  t.equal(stdout, '');
  const second = await SluiceInstance.start({
    name: `${name}b`,
    cleanup,
    netns: `${name}-host`,
    podCIDR4: '10.250.0.0/16',
    podCIDR6: 'fd00:10:250::/64',
    config: 'kube-api: true\nhostPort: false\n',
  });
  t.teardown(() => second.stop());
  await waitFor('the second to say so', async () => {
    const { problems } = (await second.read('/v1/status')) as { problems: string[] };
    return problems.some((text) => text.includes('not served on 127.0.0.1:6443: listen EADDRINUSE'));
  });
});
