/** The policy editor. */
import { Empty } from '../controls/empty.tsx';

export function EditorView() {
  return <Empty title="No policy is open" text="Open one from the list of policies." />;
}
