import t from 'tap';
import { Storage } from '../storage/storage.ts';
import { Resources } from './resources.ts';

const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io';

t.test('no two resources share a path, a short name or a kind', (t) => {
  const all = new Resources().all();
  for (const said of [
    all.flatMap(({ group, versions, plural }) => versions.map((version) => `${group}/${version}/${plural}`)),
    all.flatMap(({ group, versions, kind }) => versions.map((version) => `${group}/${version} ${kind}`)),
    // Events are served in two groups, as by Kubernetes.
    all.filter(({ group }) => group !== 'events.k8s.io').flatMap(({ shortNames, plural }) => [...shortNames, plural]),
  ])
    t.equal(new Set(said).size, said.length, said.filter((one, i) => said.indexOf(one) !== i).join() || 'all differ');
  t.end();
});

t.test('a definition serves its kind until it goes, and takes nothing from a built-in one', (t) => {
  const storage = new Storage();
  const resources = new Resources();
  resources.follow(storage);
  const before = resources.version;
  const define = (group: string, plural: string, kind: string) =>
    storage.create(DEFINITIONS, {
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        names: { plural, kind, shortNames: ['wd'] },
        scope: 'Cluster',
        versions: [
          { name: 'v1alpha1', served: true, storage: false },
          { name: 'v1beta2', served: false },
          { name: 'v1', served: true, storage: true, subresources: { status: {} } },
        ],
      },
    });
  define('example.com', 'widgets', 'Widget');
  const widgets = resources.atPath('example.com', 'v1alpha1', 'widgets');
  t.match(widgets, {
    versions: ['v1', 'v1alpha1'],
    isNamespaced: false,
    singular: 'widget',
    listKind: 'WidgetList',
    subresources: [{ name: 'status' }],
  });
  t.equal(resources.ofKind('example.com/v1', 'Widget'), widgets);
  t.ok(resources.version > before);
  const pods = resources.named('deployments.apps');
  define('apps', 'deployments', 'Deployment');
  t.equal(resources.named('deployments.apps'), pods);
  storage.delete(DEFINITIONS, '', 'widgets.example.com');
  t.equal(resources.atPath('example.com', 'v1', 'widgets'), undefined);
  t.end();
});

t.test('kinds of cilium.io are shown as definitions, which nobody changes', (t) => {
  const storage = new Storage();
  const resources = new Resources();
  resources.follow(storage);
  const shown = storage.list(DEFINITIONS);
  const kinds = resources.all().filter(({ group }) => group === 'cilium.io');
  t.strictSame(
    shown.map(({ metadata }) => metadata.name),
    kinds.map(({ name }) => name).toSorted(),
  );
  for (const definition of shown) {
    const resource = kinds.find(({ name }) => name === definition.metadata.name);
    const { kind, plural, shortNames, isNamespaced, versions } = resource ?? kinds[0];
    t.match(definition, {
      spec: {
        names: { kind, plural, shortNames },
        scope: isNamespaced ? 'Namespaced' : 'Cluster',
        versions: versions.map((name, i) => ({ name, served: true, storage: i === 0 })),
      },
      status: { conditions: [{ type: 'NamesAccepted' }, { type: 'Established', status: 'True' }] },
    });
  }
  t.throws(() => storage.delete(DEFINITIONS, '', 'ciliumnodes.cilium.io'), { code: 403 });
  t.end();
});
