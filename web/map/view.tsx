/** The service map. */
import { Empty } from '../controls/empty.tsx';

export function MapView() {
  return <Empty title="No traffic yet" text="Cards appear as soon as the agent tells of flows." />;
}
