/** The `sluice` program, and what it is when it is called by another program's name. */
import { basename } from 'node:path';
import { run } from './program.ts';
import { shimmed } from './shim.ts';
import { EXIT } from './terminal/failure.ts';
import { processHost } from './terminal/host.ts';

const argv = process.argv.slice(2);
const host = processHost(process);
const other = shimmed(basename(process.argv[1] ?? '').replace(/\.c?js$/, ''), argv);
if (other === undefined) start(argv);
else if ('argv' in other) start(other.argv);
else if ('say' in other) host.stdout.write(`${other.say}\n`);
else {
  host.stderr.write(`error: ${other.refuse}\n`);
  process.exitCode = EXIT.USAGE;
}

function start(words: readonly string[]): void {
  void run(words, host).then((code) => {
    process.exitCode = code;
  });
}
