/** What the thread of the Kubernetes API is told of services, and what it costs to find that there is nothing to tell. */
import t from 'tap';
import type { ServiceDocument } from '../../api/shapes.ts';
import type { ServiceState } from '../../services/service-book.ts';
import { Told } from './told.ts';

const stateOf = (name: string, clusterIPs: readonly string[], endpoints: readonly string[] = []): ServiceState =>
  ({ spec: { namespace: 'shop', name }, assignment: { clusterIPs }, endpoints }) as unknown as ServiceState;

function world() {
  const states = new Map<string, ServiceState>();
  const problems = new Map<string, readonly string[]>();
  const told = new Told();
  const seen = { documents: 0 };
  const documentOf = ({ spec, assignment, endpoints }: ServiceState, wrong: readonly string[]): ServiceDocument => {
    seen.documents++;
    const { namespace, name } = spec;
    return {
      namespace,
      name,
      clusterIPs: assignment.clusterIPs,
      endpoints,
      problems: wrong,
    } as unknown as ServiceDocument;
  };
  const services = { book: states as never, problemsOf: (key: string) => problems.get(key) ?? [] };
  const tell = () => told.services(services, documentOf)?.services?.map(({ name }) => name) ?? [];
  return { states, problems, told, seen, tell };
}

t.test('services() tells what has changed, and makes no document of what has not', (t) => {
  const { states, problems, seen, tell } = world();
  states.set('shop/a', stateOf('a', ['10.0.0.1'])).set('shop/b', stateOf('b', []));
  t.strictSame(tell(), ['a', 'b']);
  t.strictSame(tell(), []);
  t.equal(seen.documents, 2, 'nothing is looked at twice');
  states.set('shop/b', stateOf('b', ['10.0.0.2']));
  t.strictSame(tell(), ['b'], 'it has got its address');
  states.set('shop/b', stateOf('b', ['10.0.0.2'], ['10.1.0.1']));
  t.strictSame(tell(), [], 'who is behind it is told otherwise');
  problems.set('shop/a', ['found no address']);
  t.strictSame(tell(), ['a'], 'what is wrong with it counts too');
  t.end();
});

t.test('services() tells all again to a new thread, and a service of the same name that comes back', (t) => {
  const { states, told, tell } = world();
  const state = stateOf('a', ['10.0.0.1']);
  states.set('shop/a', state).set('shop/b', stateOf('b', []));
  tell();
  told.forget();
  t.strictSame(tell(), ['a', 'b']);
  states.delete('shop/a');
  t.strictSame(tell(), []);
  states.set('shop/a', state);
  t.strictSame(tell(), ['a']);
  t.end();
});
