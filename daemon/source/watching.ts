/** Hears of changes below a directory, once they have settled. */
import { watch } from 'chokidar';

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
  watcher.on('all', soon).on('ready', soon).on('error', soon);
  return async () => {
    clearTimeout(timer);
    await watcher.close();
  };
}
