/**
 * The dataplane's log: lines on descriptor 2, which the agent has made `<runDir>/dataplane.log`. Written at once, past
 * `process.stderr`: in a thread that never enters its event loop, that stream lets one line through and keeps the others.
 */
import { writeSync } from 'node:fs';

/** Tells the operator one sentence. What cannot be written is lost: frames do not wait for a log. */
export function say(text: string): void {
  try {
    writeSync(2, `${new Date().toISOString()} ${text}\n`);
  } catch {
    // a full disk, or a reader that went away
  }
}
