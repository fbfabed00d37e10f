/** The service map. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Empty } from '../controls/empty.tsx';
import { stream } from '../stream/stream.tsx';
import { EdgeList } from './edge-list.tsx';
import { MapModel } from './map-model.ts';

const model = new MapModel();
const version = signal(0);

export function MapView() {
  useEffect(
    () =>
      stream.hearMap((changes) => {
        model.apply(changes);
        version.value++;
      }),
    [],
  );
  if (version.value === 0 || model.edges.size === 0)
    return (
      <Empty title="No traffic yet" text="Cards appear as soon as the agent tells of flows that the query wants." />
    );
  return <EdgeList edges={[...model.edges.values()]} onChoose={({ number }) => stream.detailEdges([number])} />;
}
