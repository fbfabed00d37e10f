#!/usr/bin/env node
/** The `sluice` program. */
import { processHost } from './host.ts';
import { run } from './program.ts';

process.exitCode = await run(process.argv.slice(2), processHost(process));
