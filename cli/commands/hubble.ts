/** `sluice hubble observe|status|port-forward|ui`: what fingers know from `hubble` and `cilium hubble`. */
import { type Command, InvalidArgumentError } from 'commander';
import { EXIT, Failure } from '../terminal/failure.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

const PORT = 4245;

export function define(command: Command, host: Host): void {
  command.description(
    'Flows, as `hubble` and `cilium hubble` have them. `sluice hubble observe` and `status` are `sluice observe` and `status`.',
  );
  example(command, 'sluice hubble observe --verdict DROPPED', 'sluice hubble port-forward');
  defineForward(command.command('port-forward').summary("Serve Hubble's API on the loopback"), host);
  defineUi(command.command('ui').summary('Say where the page for browsers is'), host);
}

function defineForward(command: Command, host: Host): void {
  command
    .description(
      "Serves Hubble's API of this instance on a port of the loopback, until Ctrl-C: for `hubble observe` and others that speak to no unix socket.",
    )
    .option('--port-forward <port>', 'the port', portNumber, PORT);
  withGlobals(command);
  example(command, 'sluice hubble port-forward', 'sluice hubble port-forward --port-forward 14245');
  command.action(async ({ portForward }: { portForward: number }) => {
    const { forwardHubble } = await import('../ask/hubble-forward.ts');
    await forwardHubble(settingsOf(command, host).runDir, portForward, (line) => host.stdout.write(`${line}\n`));
  });
}

function defineUi(command: Command, host: Host): void {
  command.description('Prints where the page for browsers is served (`ui: true`).');
  withGlobals(command);
  example(command, 'sluice hubble ui');
  command.action(async () => {
    const { DaemonApi } = await import('../../api/daemon-api.ts');
    const { page } = await new DaemonApi(settingsOf(command, host)).status();
    if (page === undefined || page.address === '')
      throw new Failure('there is no page: set `ui: true` in sluice.yaml', EXIT.FAILED);
    host.stdout.write(`${page.address}\n`);
  });
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new InvalidArgumentError('wanted a port, 0 to 65535');
  return port;
}
