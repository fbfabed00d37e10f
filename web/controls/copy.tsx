/** Copying, with a word about how it went. */
import { notify } from '../shell/notices.tsx';

/** @param what "The observe command" */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notify(`${what} is in the clipboard`);
  } catch {
    notify(`${what} could not be copied: the browser does not allow it`, true);
  }
}
