/** The name server's log: lines on standard error, which the agent has made a file. */
import { writeSync } from 'node:fs';

/** Tells the operator one sentence. What cannot be written is lost: questions do not wait for a log. */
export function say(text: string): void {
  try {
    writeSync(2, `${new Date().toISOString()} ${text}\n`);
  } catch {
    // a full disk, or a reader that went away
  }
}
