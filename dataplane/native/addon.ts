/** The compiled addon. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Loads the addon; its file lies in the source tree, whether this module runs from there or from a build folder.
 * @throws Error when it was not built
 */
export function loadAddon(): unknown {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  const path = join(folder, 'dataplane/native/build/Release/sluice_native.node');
  if (!existsSync(path)) throw new Error(`load ${path}: ENOENT: build it with "node dataplane/native/build.mjs"`);
  return createRequire(import.meta.url)(path);
}
