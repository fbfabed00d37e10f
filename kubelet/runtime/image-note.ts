/** What is remembered of the image that a container runs, for a kubelet that finds it running: a file in the container's folder. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ImageNote {
  /** As its status says it. */
  readonly digest: string;
  /** What ends it, by its image. */
  readonly stopSignal: number;
}

/** SIGTERM: of a container whose image says nothing else. */
export const DEFAULT_STOP_SIGNAL = 15;

const NAME = 'image';

/** @param note undefined for a container that has none */
export function writeImageNote(folder: string, note: ImageNote | undefined): void {
  const path = join(folder, NAME);
  if (note === undefined) {
    rmSync(path, { force: true });
    return;
  }
  const { digest, stopSignal } = note;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(path, JSON.stringify({ digest, stopSignal }), { mode: 0o600 });
}

export function imageNoteIn(folder: string): ImageNote | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, NAME), 'utf8')) as ImageNote;
  } catch {
    return undefined;
  }
}
