/** The offload of an agent, or what stands for it where it is not wanted. */
import type { OffloadDocument } from '../../api/shapes-offload.ts';
import { ENOENT, NftElements } from '../../linux/nft-elements.ts';
import { fastTableName } from '../../linux/attachment.ts';
import { monotonicMs } from '../../dataplane/native/index.ts';
import type { Config } from '../config/config.ts';
import type { ProblemBoard } from '../health/problem-board.ts';
import type { PinnedMaps } from '../publish/pinned-maps.ts';
import { Offload } from './offload.ts';

/** What the agent knows of it. */
export type OffloadSide = Pick<Offload, 'start' | 'stop' | 'leave' | 'setPorts' | 'shut' | 'open'> & {
  /** What the API tells; undefined where it is not wanted. */
  readonly document?: OffloadDocument;
};

const nothing = (): void => undefined;

/**
 * Removes what an earlier agent has left in the kernel, and begins anew if it is wanted.
 * @throws Error when the kernel has no nf_tables, or does not let go of the table
 */
export function openOffload(
  config: Config,
  routerMac: string,
  { maps, board }: { maps: PinnedMaps; board: ProblemBoard },
): OffloadSide {
  const table = fastTableName(config.name);
  const tell = (problems: readonly string[]) => board.set('offload', problems);
  if (config.offload === 'nft') return new Offload({ table, routerMac, maps, tell, nowMs: monotonicMs });
  tell(removed(table) ? [] : [`the kernel forwards by table netdev ${table}, which cannot be removed`]);
  const none = { start: nothing, leave: nothing, setPorts: nothing, shut: nothing, open: nothing, stop: () => true };
  maps.offload.clear();
  return none;
}

/** Without nf_tables there is nothing to remove. */
function removed(table: string): boolean {
  const elements = new NftElements(table);
  const error = elements.deleteTable();
  elements.close();
  return error === 0 || error === ENOENT || error === EOPNOTSUPP || error === EPROTONOSUPPORT || error === EINVAL;
}

const EINVAL = 22;
const EPROTONOSUPPORT = 93;
const EOPNOTSUPP = 95;
