/** `sluice run`: a Pod document for one program, raised as a rig of its own. */
import { Readable } from 'node:stream';
import { DaemonApi } from '../../api/daemon-api.ts';
import { kindNamed, withGroup } from '../objects/kinds.ts';
import { rowsOf } from '../objects/object-rows.ts';
import { printDocument } from '../terminal/output.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { useOfImage } from '../../kubelet/images/image-table.ts';
import { rigUp } from './rig.ts';

export interface RunFlags {
  readonly namespace: string;
  readonly labels?: string;
  readonly env?: readonly string[];
  readonly port?: string;
  readonly image?: string;
  readonly dryRun?: 'none' | 'client';
}

const WAIT_MS = 20_000;

/** @throws Failure when the pod is there already, or its rig cannot be raised */
export async function runPod(
  settings: Settings,
  name: string,
  argv: readonly string[],
  flags: RunFlags,
): Promise<void> {
  const { namespace } = flags;
  const kind = kindNamed('Pod');
  if (kind === undefined) return;
  const api = new DaemonApi(settings);
  const { standIns = {} } = argv.length > 0 ? {} : await api.status();
  if (argv.length === 0 && useOfImage(flags.image ?? '', standIns) === undefined) {
    throw new Failure(
      'run: found no program and no image that something stands in for, wanted a program of this machine after --',
      EXIT.USAGE,
    );
  }
  const pods = await rowsOf(api, kind, { namespace, appliedOnly: true });
  if (pods.some(({ object }) => object.metadata?.name === name)) {
    throw new Failure(`Error from server (AlreadyExists): ${withGroup(kind, kind.plural)} "${name}" already exists`);
  }
  const stdin = Readable.from([Buffer.from(JSON.stringify(podOf(name, argv, flags)))]);
  const host = { ...settings.host, stdin };
  const rig = `${namespace}-${name}`;
  await rigUp({ ...settings, host }, { files: ['-'], rig, waitMs: WAIT_MS });
  settings.host.stdout.write(`pod/${name} created\n`);
  settings.host.stderr.write(`it runs until \`sluice rig down ${rig}\`\n`);
}

/** Prints the document of the pod, and makes nothing. */
export async function printPod(
  settings: Settings,
  name: string,
  argv: readonly string[],
  flags: RunFlags,
): Promise<void> {
  if (settings.output === 'table') settings.host.stdout.write(`pod/${name} created (dry run)\n`);
  else await printDocument(settings, podOf(name, argv, flags));
}

function podOf(name: string, argv: readonly string[], { namespace, labels, env = [], port, image = 'none' }: RunFlags) {
  const program = argv.length === 0 ? {} : { command: argv };
  const ports = port === undefined ? {} : { ports: [{ containerPort: Number(port) }] };
  const variables = env.map((pair) => fieldOf(pair, '--env')).map(([key, value]) => ({ name: key, value }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: labels === undefined ? { run: name } : labelsOf(labels) },
    spec: { containers: [{ name, image, ...program, ...(variables.length > 0 && { env: variables }), ...ports }] },
  };
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(text.split(',').map((pair) => fieldOf(pair, '--labels')));
}

function fieldOf(pair: string, flag: string): [string, string] {
  const equals = pair.indexOf('=');
  if (equals < 1) throw new Failure(`${flag}: found '${pair}', wanted name=value`, EXIT.USAGE);
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}
