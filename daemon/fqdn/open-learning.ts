/** The learning of names as an agent has it: who is told of what. */
import { monotonicMs } from '../../dataplane/native/index.ts';
import type { Compilation } from '../compilation.ts';
import type { Config } from '../config/config.ts';
import type { DirectoryFeed } from '../observe/directory-feed.ts';
import type { PinnedMaps } from '../publish/pinned-maps.ts';
import type { Supervisor } from '../supervise/supervisor.ts';
import type { Log } from '../health/log.ts';
import type { ProblemBoard } from '../health/problem-board.ts';
import { Learning } from './learning.ts';
import { learningSettings } from './settings.ts';

interface LearningParts {
  readonly agent: {
    readonly config: Config;
    readonly maps: PinnedMaps;
    readonly compilation: Compilation;
    readonly supervisor: Supervisor;
    readonly directory: DirectoryFeed;
  };
  readonly log: Log;
  readonly board: ProblemBoard;
  /** Where names are kept. */
  readonly path: string;
  /** Publishes what they have changed. */
  readonly publish: () => void;
}

export function openLearning({ agent, log, board, path, publish }: LearningParts): Learning {
  return new Learning({
    settings: learningSettings(agent.config),
    path,
    maps: agent.maps,
    names: agent.compilation.cluster.names,
    publish,
    poke: () => agent.supervisor.tellPublished(),
    hasEndpoint: (id) => agent.directory.published.has(id),
    onNames: (places) => agent.directory.learnNames(places),
    onProblems: (problems) => board.set('names', problems),
    log,
    monotonicMs,
    wallMs: Date.now,
  });
}
