/** The table of flows. */
import { Empty } from '../controls/empty.tsx';

export function FlowsView() {
  return <Empty title="No flows yet" text="Rows appear as soon as the agent tells of flows." />;
}
