/**
 * Plays every folder of examples/ for real. Each rig has a host of its own, a namespace in which the daemon runs, so that
 * rigs with the same addresses live side by side and this machine's own network has no part in it:
 *
 *   <name>-host   sluiced, sluice-dataplane, <name>_host
 *     ├── veth ── <name>-<namespace>-<pod>
 *     └── veth ── ...
 *
 * The rig is raised and taken down by the commands of the folder's README; its steps are played before the other commands.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { RULES } from '../../hubble/anomaly/rule.ts';
import { programPath } from '../../linux/programs.ts';
import { Cleanup, must, run } from '../command.ts';
import { describeStep, type Example, type HostPlace, loadExample, playStep } from '../example.ts';
import { PATIENT_NAMES, SluiceInstance } from '../rig.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
const CLI = programPath('sluice');
const RIGS_AT_ONCE = 4;

/** Addresses of the host in the default pod ranges. */
const HOST_ADDRESSES = ['10.244.0.1', 'fd00:10:244::1'];

/** A name server for those who need one; nothing of theirs is asked outside. */
const NAMES = 'dns: { enabled: true, upstreams: [127.0.0.1] }\n';
/** By the documented limits: what examples do is ordinary. */
const ANOMALIES = 'hubble: { anomalies: { enabled: true } }\n';

async function begin(number: number, { usesNames }: Example, cleanup: Cleanup) {
  const name = `slt${process.pid.toString(36)}${number.toString(36)}`; // at most ten characters
  const host: HostPlace = { netns: `${name}-host`, addresses: HOST_ADDRESSES };
  const config = PATIENT_NAMES + ANOMALIES + (usesNames ? NAMES : '');
  return { instance: await SluiceInstance.onHost(name, cleanup, config), host };
}

/** The commands that an example's README tells people to type. */
function commandsOf(folder: string): string[] {
  const readme = readFileSync(join(EXAMPLES, folder, 'README.md'), 'utf8');
  const block = /^```\n([\s\S]*?)^```/m.exec(readme)?.[1] ?? 'no commands';
  return block.trim().split('\n');
}

/** What a command ends with: a probe whose comment says so with curl's 28 or 6 or ping's 1, or what it says, all others with 0. */
function wantedCode(line: string): number {
  const said = /# .*: exit (\d+)$/.exec(line)?.[1];
  if (said !== undefined) return Number(said);
  if (line.endsWith('# unresolved')) return 6;
  if (!line.endsWith('# timeout')) return 0;
  return line.includes(' curl ') ? 28 : 1;
}

async function codeOf(instance: SluiceInstance, line: string): Promise<number | null> {
  if (!line.startsWith('sluice ')) throw new Error(`found '${line}', wanted a sluice command`);
  const shell = ['sh', '-c', line.replace('sluice', `${process.execPath} ${CLI}`)];
  return (await run(shell, { cwd: join(EXAMPLES, '..'), env: { SLUICE_RUN_DIR: instance.runDir } })).code;
}

/** Anomalies that were found, told or not, of all rules. */
async function anomaliesOf(instance: SluiceInstance): Promise<number> {
  const urls = ['/v1/flows?last=1', '/metrics'].map((path) => `http://sluice${path}`); // the first takes in what has come
  const text = await must(['curl', '-sS', '-m', '10', '--unix-socket', join(instance.runDir, 'hubble.sock'), ...urls]);
  const counts = [...text.matchAll(/^sluice_anomalies(?:_untold)?_total\{rule="[\w-]+"\} (\d+)$/gm)];
  if (counts.length !== 2 * RULES.length) throw new Error(`found ${counts.length} counters, wanted two of each rule`);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

t.jobs = RIGS_AT_ONCE;
const folders = readdirSync(EXAMPLES).filter((name) => existsSync(join(EXAMPLES, name, 'expect.steps.yaml')));
folders.forEach((folder, number) => {
  t.test(folder, { buffered: true }, async (t) => {
    await nextTurn(); // tap begins the next test even while it exits: that one must not make anything
    const cleanup = new Cleanup();
    const example = loadExample(join(EXAMPLES, folder));
    t.teardown(() => cleanup.finish());
    const { instance, host } = await begin(number, example, cleanup);
    t.teardown(() => instance.stop());
    const [up, ...commands] = commandsOf(folder);
    t.equal(await codeOf(instance, up), 0, up);
    for (const step of example.steps) {
      t.same(await playStep(step, example, instance, host), [], describeStep(step));
    }
    await instance.cli('delete', '--ignore-not-found', '-f', join(EXAMPLES, folder, 'policies'));
    t.equal(await anomaliesOf(instance), 0, 'anomalies in its traffic');
    for (const line of commands) t.equal(await codeOf(instance, line), wantedCode(line), line);
  });
});
