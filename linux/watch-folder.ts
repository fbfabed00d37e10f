/**
 * Word of changes in a folder. inotify has an allowance for each user (128 instances, so many watches), and root of a container is the machine's user 0: it can use up
 * ours. Who gets no watch, or loses it, looks again and again instead, so that nothing goes unseen.
 */
import { type FSWatcher, watch } from 'node:fs';

/** Between two looks of who has no watch. */
export const UNWATCHED_LOOK_MS = 1000;

/** Codes of an allowance that is used up. */
const USED_UP = new Set(['EMFILE', 'ENFILE', 'ENOSPC']);

/** Whether an error says that there is no watch to be had. */
export function isOutOfWatches(error: unknown): boolean {
  return USED_UP.has((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * @param onChange given the name that may have changed; null for any
 * @returns a function that ends the watch
 * @throws SystemError when there is no such folder
 */
export function watchFolder(path: string, onChange: (name: string | null) => void): () => void {
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  const lookInstead = (): void => {
    timer ??= setInterval(() => onChange(null), UNWATCHED_LOOK_MS);
  };
  try {
    watcher = watch(path, (_, name) => onChange(name));
    watcher.on('error', lookInstead);
  } catch (error) {
    if (!isOutOfWatches(error)) throw error;
    lookInstead();
  }
  return () => {
    clearInterval(timer);
    watcher?.close();
  };
}
