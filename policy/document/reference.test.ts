/** docs/policy.md against the shapes that are read. */
import t from 'tap';
import { read, codes, rowsOf, namesIn, section } from '../../test/policy/documents.ts';
import { CIDR_GROUP, CILIUM_POLICY, EGRESS_GATEWAY_POLICY } from './schema-cilium.ts';
import { NETWORK_POLICY, SELECTOR } from './schema-kubernetes.ts';
import type { ListShape, ObjectShape, Shape } from './shape.ts';

function fieldsOf(shape: Shape, path = ''): string[] {
  if (shape.kind === 'list')
    return /^(in|e)gress(Deny)?$/.test(path) ? entryFields(shape, path) : fieldsOf(shape.of, `${path}[]`);
  if (shape.kind !== 'object' || shape === SELECTOR) return [path];
  return Object.entries(shape.fields).flatMap(([name, field]) =>
    fieldsOf(field, path === '' ? name : `${path}.${name}`),
  );
}

const entryFields = ({ of }: ListShape, path: string): string[] => [`${path}[]`, ...fieldsOf(of)];
const specOf = ({ fields }: ObjectShape): Shape => fields['spec'];

t.test('docs/policy.md lists every field that is read, and no other', (t) => {
  const listed = (part: string): string[] =>
    rowsOf(section(`### ${part}`), 'field').flatMap(([names]) => namesIn(names));
  const shapes: Record<string, Shape> = {
    'Rule Peers Ports Application-rules': specOf(CILIUM_POLICY),
    Selectors: SELECTOR,
    CiliumCIDRGroup: specOf(CIDR_GROUP),
    CiliumEgressGatewayPolicy: specOf(EGRESS_GATEWAY_POLICY),
    NetworkPolicy: specOf(NETWORK_POLICY),
  };
  for (const [parts, shape] of Object.entries(shapes)) {
    const found = parts.split(' ').flatMap((part) => listed(part.replace('-', ' ')));
    const wanted =
      shape === SELECTOR
        ? Object.entries(SELECTOR.fields).flatMap(([name, one]) => fieldsOf(one, name))
        : fieldsOf(shape);
    t.same(found.sort(), [...new Set(wanted)].sort(), parts);
  }
  t.end();
});

/** What makes a document of one field incomplete, not wrong. */
const INCOMPLETE = [
  'icmp-type',
  'missing-field',
  'port',
  'cidr-rule',
  'service',
  'empty-rule',
  'no-subject',
  'except',
  'nodes-disabled',
  'header-name',
  'secret-name',
];
const SAMPLES: Record<string, unknown> = {
  cidr: '10.0.0.0/8',
  except: '10.0.0.0/16',
  type: 8,
  port: '80',
  protocol: 'TCP',
  apiKey: 'fetch',
  apiVersion: '1',
  operator: 'Exists',
  key: 'a',
};

/** A policy that has one field, and what is needed for it to be looked at. */
function policyWith(path: string): string {
  const build = ([name, ...rest]: string[]): unknown => {
    const key = name.replace('[]', '');
    const inner = rest.length > 0 ? build(rest) : sampleOf(key, name);
    const value = name.endsWith('[]') ? [inner] : inner;
    const isBelowPorts = key === 'toPorts' && !rest[0]?.startsWith('ports');
    return { [key]: isBelowPorts ? [{ ports: [portFor(rest)], ...(inner as object) }] : value };
  };
  const field = build(path.split('.')) as object;
  const isOfRule = /^(endpointS|nodeS|(in|e)gress|enable|labels|desc|log)/.test(path);
  const list = /^to[A-Z]/.test(path) && !path.includes('kafka') ? 'egress' : 'ingress';
  const subject = path === 'nodeSelector' ? {} : { endpointSelector: {} };
  const spec = isOfRule
    ? { ...subject, ingress: [{ fromEntities: ['all'] }], ...field }
    : { ...subject, [list]: [field] };
  return JSON.stringify({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumClusterwideNetworkPolicy',
    metadata: { name: 'x' },
    spec,
  });
}

const portFor = (path: string[]): object => (path.includes('dns[]') ? { port: '53' } : { port: '80', protocol: 'TCP' });

function sampleOf(key: string, name: string): unknown {
  if (/Selector$|Endpoints|Requires|Nodes|^selector$|^labels$/.test(key)) return {};
  if (/^(in|e)gress(Deny)?\[\]$/.test(name))
    return { [name.startsWith('in') ? 'fromEntities' : 'toEntities']: ['all'] };
  if (key === 'ingress' || key === 'egress') return true;
  const oneOf: Record<string, string> = { family: 'IPv4', mode: 'required', mismatch: 'LOG', role: 'produce' };
  if (/CIDR$/.test(key)) return '10.0.0.0/8';
  if (/Entities$/.test(key)) return 'all';
  if (key === 'priority' || key === 'endPort') return 90;
  return SAMPLES[key] ?? oneOf[key] ?? 'x.y';
}

t.test('docs/policy.md says of each field whether it is refused', (t) => {
  for (const part of ['Rule', 'Peers', 'Ports', 'Application rules']) {
    for (const [names, status] of rowsOf(section(`### ${part}`), 'field')) {
      for (const name of namesIn(names)) {
        const errors = codes(read(policyWith(name)).problems, 'error').filter(
          (text) => !INCOMPLETE.includes(text.split(' ')[0]),
        );
        if (status === 'refused') t.not(errors.length, 0, `${name} is refused`);
        else t.same(errors, [], `${name} is accepted`);
      }
    }
  }
  t.end();
});
