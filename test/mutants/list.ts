/** All mutants. Each of the files has those of one part of the tree. */
import { DAEMON } from './daemon.ts';
import { DOCUMENTS } from './documents.ts';
import { DNS } from './dns.ts';
import { FLOWS } from './flows.ts';
import { FRAMES } from './frames.ts';
import { HTTP_RULES } from './http-rules.ts';
import { HTTP } from './http.ts';
import type { Mutant } from './mutant.ts';
import { NAMES_LEARNT } from './names.ts';
import { NAME_SERVER } from './name-server.ts';
import { OBSERVABILITY } from './observability.ts';
import { PROTOCOLS } from './protocols.ts';
import { SEMANTICS } from './semantics.ts';
import { STREAMS } from './streams.ts';
import { TOOLS } from './tools.ts';
import { TRANSLATION } from './translation.ts';

export const MUTANTS: readonly Mutant[] = [
  ...DNS,
  ...FLOWS,
  ...FRAMES,
  ...HTTP,
  ...HTTP_RULES,
  ...STREAMS,
  ...DAEMON,
  ...DOCUMENTS,
  ...NAMES_LEARNT,
  ...NAME_SERVER,
  ...OBSERVABILITY,
  ...PROTOCOLS,
  ...SEMANTICS,
  ...TOOLS,
  ...TRANSLATION,
];
