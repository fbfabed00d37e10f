/**
 * sluice-dns: the cluster's name server. It is started by sluiced, gets its sockets from it, and outlives it; what it answers
 * stands in the zone file (zone-file.ts), what it can be asked in control.ts.
 */
import { parseArgs } from 'node:util';
import { NAME_SERVER_LISTEN_FD } from './control.ts';
import { ControlServer } from './control-server.ts';
import { say } from './log.ts';
import { NameServerProgram } from './program.ts';

const HELP = `Usage: sluice-dns --run-dir DIR

Answers for the names of DIR/dns/zone and asks other servers for the rest. Started by sluiced, which hands it a listening
control socket as descriptor 3, and by that the sockets where it is asked.

  --run-dir DIR   run directory of the instance, e.g. /run/sluice
  --help          this text
`;

function main(): void {
  const { values } = parseArgs({ options: { 'run-dir': { type: 'string' }, help: { type: 'boolean' } } });
  const runDir = values['run-dir'];
  if (values.help === true || runDir === undefined) {
    (values.help === true ? process.stdout : process.stderr).write(HELP);
    process.exitCode = values.help === true ? 0 : 2;
    return;
  }
  const program = new NameServerProgram(runDir);
  const control = new ControlServer(NAME_SERVER_LISTEN_FD, (request, fds) => program.perform(request, fds));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      control.close();
      void program.stop();
    });
  }
  process.on('SIGHUP', () => {}); // the terminal of whoever started the agent is none of our business
  program.start();
  say(`sluice-dns ${process.pid} has begun`);
}

try {
  main();
} catch (error) {
  process.stderr.write(`sluice-dns: ${(error as Error).message}\n`);
  process.exit(1);
}
