// Makes apiserver/protobuf/fields.ts: the field numbers of the kinds that clients send as protobuf, from the Go types of Kubernetes.
//   node scripts/protobuf-fields.mjs K8S_IO_API K8S_IO_APIMACHINERY     two folders of Kubernetes' source
// fields.ts has the notation. It is run again when the API is to be like a newer Kubernetes.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [api, machinery] = process.argv.slice(2);
const PACKAGES = {
  'core.v1': join(api, 'core/v1'),
  'apps.v1': join(api, 'apps/v1'),
  'batch.v1': join(api, 'batch/v1'),
  'networking.v1': join(api, 'networking/v1'),
  'policy.v1': join(api, 'policy/v1'),
  'rbac.v1': join(api, 'rbac/v1'),
  'authentication.v1': join(api, 'authentication/v1'),
  'authorization.v1': join(api, 'authorization/v1'),
  'autoscaling.v1': join(api, 'autoscaling/v1'),
  'autoscaling.v2': join(api, 'autoscaling/v2'),
  'coordination.v1': join(api, 'coordination/v1'),
  'discovery.v1': join(api, 'discovery/v1'),
  'events.v1': join(api, 'events/v1'),
  'scheduling.v1': join(api, 'scheduling/v1'),
  'storage.v1': join(api, 'storage/v1'),
  'meta.v1': join(machinery, 'pkg/apis/meta/v1'),
};
/** Messages that stand for one value. */
const VALUES = {
  'meta.v1.Time': 'T',
  'meta.v1.MicroTime': 'M',
  'meta.v1.FieldsV1': 'J',
  'runtime.RawExtension': 'J',
  'resource.Quantity': 'Q',
  'intstr.IntOrString': 'I',
};
/** What clients send: objects, and what goes with them. */
const ROOTS = [
  'core.v1.Namespace core.v1.Pod core.v1.Service core.v1.Endpoints core.v1.Node core.v1.ConfigMap core.v1.Secret',
  'core.v1.ServiceAccount core.v1.Event core.v1.Binding core.v1.ReplicationController core.v1.PersistentVolume',
  'core.v1.PersistentVolumeClaim core.v1.LimitRange core.v1.ResourceQuota apps.v1.Deployment apps.v1.ReplicaSet',
  'apps.v1.StatefulSet apps.v1.DaemonSet apps.v1.ControllerRevision batch.v1.Job batch.v1.CronJob',
  'networking.v1.NetworkPolicy networking.v1.Ingress networking.v1.IngressClass policy.v1.PodDisruptionBudget policy.v1.Eviction',
  'rbac.v1.Role rbac.v1.RoleBinding rbac.v1.ClusterRole rbac.v1.ClusterRoleBinding authentication.v1.TokenReview',
  'authentication.v1.SelfSubjectReview authorization.v1.SelfSubjectAccessReview authorization.v1.SelfSubjectRulesReview',
  'authorization.v1.SubjectAccessReview authorization.v1.LocalSubjectAccessReview autoscaling.v1.Scale',
  'autoscaling.v2.HorizontalPodAutoscaler coordination.v1.Lease discovery.v1.EndpointSlice events.v1.Event',
  'scheduling.v1.PriorityClass storage.v1.StorageClass meta.v1.DeleteOptions',
].flatMap((line) => line.split(' '));

const structs = new Map();
const aliases = new Map();

for (const [name, folder] of Object.entries(PACKAGES)) readTypes(name, readFileSync(join(folder, 'types.go'), 'utf8'));

function readTypes(pack, text) {
  const imports = {
    ...Object.fromEntries(
      [...text.matchAll(/^\t(\w+) "k8s\.io\/api\/(\w+)\/(v\d)"$/gm)].map(([, as, group, version]) => [
        as,
        `${group}.${version}`,
      ]),
    ),
  };
  for (const [, group, version] of text.matchAll(/^\t"k8s\.io\/api\/(\w+)\/(v\d)"$/gm))
    imports[version] ??= `${group}.${version}`;
  for (const [, as] of text.matchAll(/^\t(\w+) "k8s\.io\/apimachinery\/pkg\/apis\/meta\/v1"$/gm))
    imports[as] = 'meta.v1';
  const full = (type) => {
    const dot = type.indexOf('.');
    return dot < 0 ? `${pack}.${type}` : `${imports[type.slice(0, dot)] ?? type.slice(0, dot)}.${type.slice(dot + 1)}`;
  };
  for (const [, name, body] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    const fields = [];
    for (const [, left, tags] of body.matchAll(/^\t([^/\n][^`\n]*?)\s+`([^`]*)`/gm)) {
      const proto = /protobuf:"([^"]*)"/.exec(tags)?.[1];
      if (proto === undefined || proto === '-') continue;
      const [wire, number] = proto.split(',');
      const json = /json:"([^"]*)"/.exec(tags)?.[1] ?? '';
      const words = left.trim().split(/\s+/);
      const type = words.at(-1);
      fields.push({ json: json.split(',')[0], number: Number(number), wire, type, full });
    }
    structs.set(`${pack}.${name}`, fields);
  }
  for (const [, name, type] of text.matchAll(/^type (\w+) ((?:\[\]|map\[)?[\w.\][]+)$/gm))
    aliases.set(`${pack}.${name}`, { type, full });
}

function typeText({ type, wire, full }) {
  if (type === '[]byte') return 'y';
  if (type.startsWith('[]')) return `[${typeText({ type: type.slice(2), wire, full })}]`;
  if (type.startsWith('map[')) return `{${typeText({ type: type.slice(type.indexOf(']') + 1), wire: 'bytes', full })}}`;
  if (type.startsWith('*')) return `${typeText({ type: type.slice(1), wire, full })}?`;
  const simple = { string: 's', bool: 'b', int: 'i', int32: 'i', int64: 'i', float64: 'd', uint8: 'i' }[type];
  if (simple !== undefined) return simple;
  const name = full(type);
  if (VALUES[name] !== undefined) return VALUES[name];
  if (structs.has(name)) return name;
  const alias = aliases.get(name);
  if (alias !== undefined) {
    const inner = typeText({ type: alias.type, wire, full: alias.full });
    // A list of its own type is a message around it.
    return inner.startsWith('[') ? `(${inner.slice(1, -1)})` : inner;
  }
  const known = { 'types.UID': 's' }[name];
  if (known !== undefined) return known;
  throw new Error(`found type ${type} (${name}), wanted one that is known`);
}

const lines = new Map();
function visit(name) {
  if (lines.has(name)) return;
  lines.set(name, '');
  const fields = structs.get(name);
  if (fields === undefined) throw new Error(`found no ${name}`);
  const isStable = ({ type }) => !/v\d(alpha|beta)\d\./.test(type);
  const texts = fields
    .filter(isStable)
    .sort((a, b) => a.number - b.number)
    .map((field) => {
      const text = typeText(field);
      const inner = /[a-z]+\.v\d\.\w+/.exec(text)?.[0];
      if (inner !== undefined) visit(inner);
      return `${field.number} ${field.json} ${text}`;
    });
  lines.set(name, texts.join('|'));
}
ROOTS.forEach(visit);

const table = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, fields]) => `${name}|${fields}`);
writeFileSync(
  join(import.meta.dirname, '../apiserver/protobuf/fields.ts'),
  `/**
 * Made by scripts/protobuf-fields.mjs: the messages of Kubernetes' protobuf, a line each: the name, then its fields as NUMBER NAME TYPE. No name:
 * the fields of the message within are the message's own. Types: s string, b bool, i integer, d double, y bytes, T time, M time with microseconds,
 * J JSON, Q quantity, I number or string, another message; [x] a list, {x} a map by strings, (x) a message with a list in it. x? is told even when
 * it is nothing.
 */
export const PROTOBUF_FIELDS = \`
${table.join('\n')}
\`;
`,
);
