/** Verdicts on flows and requests: a table of queries with their answers. */
import t from 'tap';
import { verdicts, web, api, job } from '../test/policy/offline.ts';

interface Case {
  readonly name: string;
  readonly query: unknown;
  readonly want: unknown;
}

const API = ['CiliumNetworkPolicy/shop/api'];
const CASES: readonly Case[] = [
  {
    name: 'an allowed request is redirected at L4 and allowed at L7',
    query: { from: web, to: api, port: 8080, http: { method: 'GET', path: '/offers/1' } },
    want: {
      verdict: 'allowed',
      egress: { verdict: 'allowed', enforced: true, match: 'L3-L4', reason: 0, policies: ['NetworkPolicy/shop/web'] },
      ingress: { verdict: 'redirected', enforced: true, match: 'L3-L4', reason: 0, policies: API },
      l7: 'allowed',
    },
  },
  {
    name: 'a request that no rule allows is denied at L7 only',
    query: { from: web, to: api, port: 8080, http: { method: 'POST', path: '/offers' } },
    want: { verdict: 'denied', ingress: { verdict: 'redirected' }, l7: 'denied' },
  },
  {
    name: 'a path pattern sees the query string',
    query: { from: web, to: api, port: 8080, http: { method: 'GET', path: '/offers?page=2' } },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'a method pattern is for the whole method',
    query: { from: web, to: api, port: 8080, http: { method: 'GETS', path: '/offers' } },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'headers count',
    query: { from: web, to: api, port: 8080, http: { path: '/admin', headers: { 'X-Key': 's' } } },
    want: { verdict: 'allowed', l7: 'allowed' },
  },
  {
    name: 'a path that steps aside is judged in every reading',
    query: { from: web, to: api, port: 8080, http: { path: '/offers/..%2fadmin' } },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'CONNECT needs a rule that names it, though another matches',
    query: { from: job, to: { ip: '198.51.100.1' }, port: 8082, http: { method: 'CONNECT', path: 'db:1' } },
    want: { verdict: 'denied', egress: { verdict: 'redirected' }, l7: 'denied' },
  },
  {
    name: 'another request of the same host passes there',
    query: { from: job, to: { ip: '198.51.100.1' }, port: 8082, http: { host: 'db:1' } },
    want: { verdict: 'allowed', l7: 'allowed' },
  },
  {
    name: 'CONNECT where a rule names it',
    query: { from: job, to: { ip: '198.51.100.1' }, port: 8082, http: { method: 'CONNECT', path: 'tunnel:1' } },
    want: { verdict: 'allowed', l7: 'allowed' },
  },
  {
    name: 'CONNECT whose Host is another than its target is malformed',
    query: {
      from: job,
      to: { ip: '198.51.100.1' },
      port: 8082,
      http: { method: 'CONNECT', path: 'tunnel:1', host: 'other:1' },
    },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'a redirect without a request says none',
    query: { from: web, to: api, port: 8080 },
    want: { verdict: 'allowed', l7: 'none' },
  },
  {
    name: "a port name is the destination pod's",
    query: { from: web, to: api, port: 'http' },
    want: { verdict: 'allowed', ingress: { verdict: 'redirected' } },
  },
  {
    name: 'a port name that the destination has not is an error',
    query: { from: web, to: api, port: 'metrics' },
    want: { verdict: 'error', error: /'metrics': shop\/api-0 has no container port/ },
  },
  {
    name: 'a default deny names the policy that closed the direction',
    query: { from: web, to: job, port: 80 },
    want: {
      verdict: 'denied',
      egress: { verdict: 'denied', enforced: true, match: 'none', reason: 133, policies: ['NetworkPolicy/shop/web'] },
      ingress: { verdict: 'allowed', enforced: false },
      l7: 'none',
    },
  },
  {
    name: 'pods of a Deployment are there, and port ranges match',
    query: { from: { pod: 'batch/job-0' }, to: api, port: 9010 },
    want: { verdict: 'denied', egress: { verdict: 'denied' }, ingress: { verdict: 'allowed', match: 'L3-L4' } },
  },
  {
    name: 'an address has the identity of its longest prefix; deny beats allow',
    query: { from: { ip: '203.0.113.200' }, to: api, port: 1 },
    want: { verdict: 'denied', egress: { enforced: false }, ingress: { reason: 181, policies: API } },
  },
  {
    name: 'an address in the allowed prefix passes',
    query: { from: { ip: '203.0.113.1' }, to: api, port: 1 },
    want: { verdict: 'allowed', ingress: { match: 'L3-only', policies: API } },
  },
  {
    name: 'the address of a pod is that pod',
    query: { from: { ip: '10.1.0.1' }, to: { ip: '10.1.0.2' }, port: 8080 },
    want: { verdict: 'allowed', egress: { policies: ['NetworkPolicy/shop/web'] }, ingress: { verdict: 'redirected' } },
  },
  {
    name: 'entities: the world is closed out, the host is let in',
    query: { from: { entity: 'world' }, to: api, port: 8080 },
    want: { verdict: 'denied', ingress: { reason: 133 } },
  },
  {
    name: 'the host reaches its pods',
    query: { from: { entity: 'host' }, to: api, port: 8080 },
    want: { verdict: 'allowed', ingress: { policies: [] } },
  },
  {
    name: 'the address of a node is the host for the pods of that node',
    query: { from: { ip: '192.168.0.2' }, to: api, port: 8080 },
    want: { verdict: 'allowed' },
  },
  {
    name: 'a pod in the network of its node is the host there, and a remote node elsewhere',
    query: { from: { pod: 'batch/agent' }, to: api, port: 8080 },
    want: { verdict: 'allowed' },
  },
  {
    name: 'a pod that plays the outside is what its address is',
    query: { from: { pod: 'outside/client' }, to: api, port: 1 },
    want: { verdict: 'allowed', egress: { enforced: false }, ingress: { match: 'L3-only', policies: API } },
  },
  {
    name: 'an entity that stands for many is an error',
    query: { from: { entity: 'cluster' }, to: api, port: 1 },
    want: { verdict: 'error', error: /wanted one that a single packet can have/ },
  },
  {
    name: 'labels stand for a pod that does not exist',
    query: { from: { labels: ['k8s:app=web'], namespace: 'shop' }, to: api, port: 8080, http: { path: '/offers' } },
    want: { verdict: 'allowed', egress: { policies: ['NetworkPolicy/shop/web'] }, l7: 'allowed' },
  },
  {
    name: 'labels of another namespace are another pod',
    query: { from: { labels: ['k8s:app=web', 'k8s:io.kubernetes.pod.namespace=else'] }, to: api, port: 8080 },
    want: { verdict: 'denied', egress: { enforced: false }, ingress: { reason: 133 } },
  },
  {
    name: 'ICMP is not a port: only its own rule lets it in',
    query: { from: { labels: ['app=x'], namespace: 'y' }, to: api, icmp: { family: 'IPv4', type: 8 } },
    want: { verdict: 'allowed', ingress: { match: 'L4-only', policies: API } },
  },
  {
    name: 'an ICMP type by name, which no rule allows',
    query: { from: { entity: 'world' }, to: api, protocol: 'ICMP', port: 'Timestamp' },
    want: { verdict: 'denied' },
  },
  {
    name: 'a DNS name that the pattern allows',
    query: { from: job, to: { entity: 'world' }, port: 53, protocol: 'UDP', dns: { query: 'X.a.example.' } },
    want: { verdict: 'allowed', egress: { verdict: 'redirected' }, l7: 'allowed' },
  },
  {
    name: 'a DNS name that it does not',
    query: { from: job, to: { entity: 'world' }, port: 53, protocol: 'UDP', dns: { query: 'x.y.a.example' } },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'a server name of one more label',
    query: { from: job, to: { entity: 'world' }, port: 443, sni: 'x.b.example' },
    want: { verdict: 'allowed', l7: 'allowed' },
  },
  {
    name: 'a server name that is not listed',
    query: { from: job, to: { entity: 'world' }, port: 443, sni: 'x.c.example' },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'a pod reaches itself whatever policies say',
    query: { from: api, to: api, port: 1 },
    want: { verdict: 'allowed', egress: { enforced: false }, ingress: { enforced: false } },
  },
  {
    name: 'an unknown pod is an error',
    query: { from: { pod: 'shop/nobody' }, to: api, port: 1 },
    want: { verdict: 'error', error: /no such pod is known/ },
  },
  {
    name: 'an unknown field is an error',
    query: { id: 3, src: web },
    want: { id: 3, verdict: 'error', error: /found 'src'/ },
  },
  {
    name: 'an end that is two things is an error',
    query: { from: { ...web, ip: '1.1.1.1' }, to: api },
    want: { verdict: 'error' },
  },
  { name: 'a port too high is an error', query: { from: web, to: api, port: 65536 }, want: { error: /0 to 65535/ } },
  { name: 'what is no JSON is an error', query: '{"id":', want: { id: null, verdict: 'error' } },
  {
    name: 'null is as good as absent',
    query: { id: 7, from: web, to: api, port: 8080, http: null, sni: null },
    want: { id: 7, l7: 'none' },
  },
];

t.test('policy verdict --queries answers a line for a line', async (t) => {
  const answers = await verdicts(CASES.map(({ query }) => query));
  t.equal(answers.length, CASES.length);
  for (const [at, { name, want }] of CASES.entries()) t.match(answers[at], want, name);
});
