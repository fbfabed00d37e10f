import t from 'tap';
import { readDocuments } from '../policy/document/document.ts';
import { readQuery } from './query.ts';
import { FlowJudge } from './verdict.ts';
import { PolicyWorld } from './world.ts';

const pod = (name: string, labels: string, status: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: shop, labels: ${labels}}\nstatus: ${status}\n`;
const WEB = pod('a-web', '{app: web}', '{phase: Running, podIP: 10.244.1.20}');
const DB = pod('db', '{app: db}', '{podIP: 10.244.1.30}');
const JOB = pod('z-job', '{app: job}', '{phase: Succeeded, podIP: 10.244.1.20}');
const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}
`;

function judge(...texts: string[]): FlowJudge {
  const { documents, problems } = readDocuments([...texts, POLICY].join('---\n'), 'f.yaml');
  t.same(problems, []);
  return new FlowJudge(new PolicyWorld(documents, {}));
}

t.test('a pod that has finished has no address: whoever runs has it, in whatever order they come', async (t) => {
  const query = readQuery({ from: { ip: '10.244.1.20' }, to: { pod: 'shop/db' }, port: 80 });
  for (const texts of [[WEB, DB, JOB], [JOB, DB, WEB], [WEB, DB, JOB.replace('Succeeded', 'Failed')]]) {
    t.equal(judge(...texts).answer(query).verdict, 'allowed');
  }
  t.equal(judge(DB, JOB.replace('Succeeded', 'Running')).answer(query).verdict, 'denied', 'a running job is a job');
}); // biome-ignore format: one order a list

t.test('a pod whose address is not known yet, and a node whose host name looks like one', async (t) => {
  const node =
    'apiVersion: v1\nkind: Node\nmetadata: {name: one}\nstatus: {addresses: [{type: Hostname, address: abc}, {type: InternalIP, address: 172.18.0.2}]}\n';
  const judged = judge(pod('web', '{app: web}', '{phase: Pending, podIP: ""}'), DB, node);
  const query = readQuery({ from: { pod: 'shop/web' }, to: { pod: 'shop/db' }, port: 80 });
  t.equal(judged.answer(query).verdict, 'allowed');
  t.equal(judged.world.nodeAt('172.18.0.2/32'), 'one');
});
