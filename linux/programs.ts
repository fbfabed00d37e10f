/** Where the programs of this Sluice lie, as scripts/bundle.mjs builds them: one file each, under dist/bin. */
import { join } from 'node:path';
import { PACKAGE_ROOT } from './package-root.ts';

/** What a person or the agent starts, and the threads and children that these start in turn. */
export type Program =
  | 'sluice'
  | 'sluiced'
  | 'sluice-dataplane'
  | 'sluice-standby'
  | 'sluice-dns'
  | 'sluice-judge'
  | 'forwarding'
  | 'observatory'
  | 'page'
  | 'kube-api'
  | 'kubernetes'
  | 'pcap-child'
  | 'capture-worker'
  | 'stand-in';

/** The CNI plugin, which is no program of Node's: cni/build.mjs makes it. */
export const CNI_PLUGIN = join(PACKAGE_ROOT, 'dist/cni/sluice-cni');

/** The file that `node` runs for a program. @param root the top of a Sluice; default: this one */
export function programPath(name: Program, root = PACKAGE_ROOT): string {
  return join(root, 'dist/bin', `${name}.cjs`);
}
