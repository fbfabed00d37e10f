/** Hears of changes below a directory, once they have settled. */
import { watch } from 'chokidar';
import { isOutOfWatches, UNWATCHED_LOOK_MS } from '../../linux/watch-folder.ts';

const SETTLE_MS = 50; // a file is read once it has not grown for this long: half a file may well parse

/**
 * Calls `onChange` whenever files below `path` may have changed.
 * @returns a function that ends the watch
 */
export function watchDirectory(path: string, onChange: () => void): () => Promise<void> {
  const awaitWriteFinish = { stabilityThreshold: SETTLE_MS, pollInterval: SETTLE_MS / 2 };
  const watcher = watch(path, { ignoreInitial: true, awaitWriteFinish, ignorePermissionErrors: true });
  let timer: NodeJS.Timeout | undefined;
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      onChange();
    }, SETTLE_MS / 2);
  };
  let looks: NodeJS.Timeout | undefined;
  watcher.on('all', soon).on('ready', soon);
  watcher.on('error', (error) => {
    if (isOutOfWatches(error)) looks ??= setInterval(onChange, UNWATCHED_LOOK_MS);
    soon();
  });
  return async () => {
    clearInterval(looks);
    clearTimeout(timer);
    await watcher.close();
  };
}
