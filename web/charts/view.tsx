/** Charts of the dataplane. */
import { Empty } from '../controls/empty.tsx';

export function ChartsView() {
  return <Empty title="Nothing measured yet" text="Charts appear with the first metrics." />;
}
