#!/usr/bin/env node
/** The `sluice` program. */
import * as nodeModule from 'node:module';
import { processHost } from './terminal/host.ts';

// Node 22 and later keep compiled code from run to run; what is imported after this starts the quicker for it.
(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.();
const { run } = await import('./program.ts');
process.exitCode = await run(process.argv.slice(2), processHost(process));
