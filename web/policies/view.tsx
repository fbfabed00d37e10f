/** The policies in force. */
import { Empty } from '../controls/empty.tsx';

export function PoliciesView() {
  return <Empty title="No policies" text="Policies appear when they are applied." />;
}
