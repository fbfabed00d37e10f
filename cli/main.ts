/** The `sluice` program. */
import { run } from './program.ts';
import { processHost } from './terminal/host.ts';

void run(process.argv.slice(2), processHost(process)).then((code) => {
  process.exitCode = code;
});
