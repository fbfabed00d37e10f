/**
 * scripts/bench: measures Sluice beside the kernel bridge, Open vSwitch, nginx and HAProxy on one rig, in turn, and
 * prints medians with their spread, the promised ratios, and all of it as JSON.
 *
 * A turn: fresh namespaces, the subject, the servers, its rules tried out, each load once behind a second of warm-up,
 * everything removed. A round
 * gives each subject a turn; rounds repeat, so that a drift of the machine falls on all alike.
 */
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Cleanup } from '../test/command.ts';
import { haproxy, nginx } from './http-proxies.ts';
import { type Build, buildOf } from './builds.ts';
import { caveats, comparisonTable } from './compare.ts';
import { measureDns } from './dns.ts';
import { measureFlowHistory } from './flow-history.ts';
import { measureFlowStream } from './flow-stream.ts';
import { measureKubernetes } from './kubernetes.ts';
import { bareBridge, kernelBridge } from './kernel-bridge.ts';
import { envoy, hasEnvoy } from './envoy.ts';
import { startHttp2Servers } from './http2.ts';
import { measureL7Rules } from './l7-rules.ts';
import { measureFullTables } from './full.ts';
import type { Load } from './load.ts';
import { checkHttpRules, HTTP_LOADS, JUMBO_LOADS, L4_LOADS, startServers } from './loads.ts';
import { describeMachine } from './machine.ts';
import { runMeasured } from './measured.ts';
import { measureMemory } from './memory.ts';
import { measureObservability } from './observability.ts';
import { openVswitch } from './open-vswitch.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { runProgramBenches } from './programs.ts';
import { disturbances, NoiseWatch } from './quiet.ts';
import { readReport, type Report, reportPage, reportText } from './report.ts';
import { measureRestart } from './restart.ts';
import { Results } from './series.ts';
import { measureServerNames } from './server-names.ts';
import { measureServices } from './services.ts';
import { type Attach, sluice } from './sluice.ts';
import { CLIENT, makeNamespaces, type Raised, type RuleSet, SERVER, type Subject } from './subject.ts';
import { measureTown } from './town.ts';

const SLUICES: Readonly<Record<string, Attach>> = {
  sluice: 'default',
  'sluice-offload': 'offload',
  'sluice-veth': 'veth',
  'sluice-tap': 'tap',
};
const SUBJECTS: Readonly<Record<string, Subject>> = {
  bridge: kernelBridge,
  bare: bareBridge,
  ovs: openVswitch,
  nginx,
  haproxy,
  envoy,
  ...Object.fromEntries(Object.entries(SLUICES).map(([name, attach]) => [name, sluice(attach)])),
};
const DEFAULT_SUBJECTS = ['bridge', 'bare', 'ovs', 'nginx', 'haproxy', ...(hasEnvoy ? ['envoy'] : []), 'sluice'];

/** By name, in the order given. @throws Error for one that is unknown */
function subjectsOf(names: readonly string[]): Subject[] {
  const unknown = names.filter((name) => !(name in SUBJECTS));
  if (unknown.length > 0) throw new Error(`unknown subject ${unknown.join(', ')}\n${USAGE}`);
  return names.map((name) => SUBJECTS[name]);
}

/** What every load runs for before it is measured: caches, tables and compilers are warm then, whoever's they are. */
const WARM_UP_SEC = 1;

/** Runs one load and adds its figures. */
async function runLoad(load: Load, subject: Subject, raised: Raised, seconds: number, results: Results): Promise<void> {
  await load.run(raised.address, WARM_UP_SEC);
  const readings = await runMeasured(load, raised, seconds);
  for (const { metric, value, unit } of readings) results.add(subject.name, metric, value, unit);
  const figures = readings.filter(({ metric }) => !metric.endsWith(' CPU'));
  console.error(
    `  ${subject.name}: ${figures.map((one) => `${one.metric} ${one.value.toFixed(2)} ${one.unit}`).join(', ')}`,
  );
}

/** What fails is told, and costs nobody else's figures. */
async function attempt(what: string, run: Promise<void>): Promise<void> {
  await run.catch((error: unknown) => {
    process.exitCode = 1;
    console.error(`bench: ${what}: ${error instanceof Error ? error.message : String(error)}`);
  });
}

async function takeTurn(
  subject: Subject,
  rules: RuleSet,
  loads: Load[],
  seconds: number,
  results: Results,
): Promise<void> {
  const cleanup = new Cleanup();
  try {
    await makeNamespaces(cleanup, CLIENT, SERVER);
    const raised = await subject.up(rules, cleanup);
    await startServers(cleanup);
    if (rules === 'http') await startHttp2Servers(cleanup);
    await checkHttpRules(raised.address, rules === 'http' && subject !== bareBridge);
    for (const load of loads) await runLoad(load, subject, raised, seconds, results);
  } finally {
    cleanup.finish();
  }
}

/** What one run measures. */
interface Run {
  readonly options: Options;
  readonly subjects: readonly Subject[];
  /** Of another commit, measured beside. */
  readonly other: Build | undefined;
  readonly results: Results;
}

async function measureLoads(run: Run, rules: RuleSet, table: Readonly<Record<string, Load[]>>): Promise<void> {
  const { options, results } = run;
  const loads = options.parts.flatMap((part) => table[part] ?? []);
  if (loads.length === 0) return;
  const subjects = run.subjects.filter((subject) => subject.ruleSets.includes(rules));
  for (let round = 1; round <= options.rounds; round++) {
    console.error(`${rules} rules, round ${round} of ${options.rounds}`);
    for (const subject of subjects) {
      await attempt(subject.name, takeTurn(subject, rules, loads, options.seconds, results));
    }
  }
}

/** Parts with a rig of their own. */
function rigsOf({ options, subjects, other, results }: Run): Readonly<Record<string, () => Promise<void>>> {
  const { rounds, seconds } = options;
  const names = subjects.map(({ name }) => name);
  return {
    mem: () => measureMemory(results, other),
    restart: () => measureRestart(rounds, options.pods, results, other),
    town: () => measureTown(rounds, seconds, results, other),
    full: () => measureFullTables(seconds, results),
    services: () => measureServices({ rounds, seconds, subjects: names }, results),
    l7: () => measureL7Rules(rounds, seconds, results),
    sni: () => measureServerNames(rounds, seconds, results),
    dns: () => measureDns(rounds, seconds, results),
    observability: () => measureObservability(rounds, seconds, results),
    kubernetes: () => measureKubernetes(rounds, options.pods, results),
    'flow-stream': () => measureFlowStream(rounds, seconds, results),
    'flow-history': () => measureFlowHistory(rounds, options.flows, results),
  };
}

/** Those of which a commit takes no turn: it has figures of its own in a run of its own. */
const ALONE = ['full', 'services', 'sni', 'dns', 'observability', 'flow-stream', 'flow-history'];

async function measure(run: Run): Promise<void> {
  const { options, other, results } = run;
  await measureLoads(run, 'l4', L4_LOADS);
  const jumbo = run.subjects.flatMap((subject) => subject.jumbo ?? []);
  await measureLoads({ ...run, subjects: jumbo }, 'l4', JUMBO_LOADS);
  await measureLoads(run, 'http', HTTP_LOADS);
  const rigs = rigsOf(run);
  for (const [part, measurePart] of Object.entries(rigs)) {
    if (options.parts.includes(part)) await attempt(part, measurePart());
  }
  const known = new Set(Object.keys({ ...L4_LOADS, ...JUMBO_LOADS, ...HTTP_LOADS, ...rigs }));
  const programs = options.parts.filter((part) => !known.has(part) || part === 'l7');
  await attempt('programs', runProgramBenches(programs, options.rounds, results, other));
  const alone = other === undefined ? [] : options.parts.filter((part) => ALONE.includes(part));
  if (alone.length > 0) console.error(`bench: ${alone.join(', ')}: without a turn of ${other?.commit}`);
}

/** The other build that is asked for, and the subjects with it: each Sluice and beside it the other's. */
async function subjectsWithOther(options: Options): Promise<Pick<Run, 'subjects' | 'other'>> {
  const names = options.subjects ?? DEFAULT_SUBJECTS;
  const subjects = subjectsOf(names);
  if (options.compare === undefined || existsSync(options.compare)) return { subjects, other: undefined };
  const other = await buildOf(options.compare);
  const others = names.flatMap((name) => (name in SLUICES ? [sluice(SLUICES[name], 0, other)] : []));
  return { subjects: [...subjects, ...others], other };
}

/** Namespaces and names are the same for every run: two at once would measure each other. The kernel gives the name back whenever we end. */
async function claimMachine(): Promise<void> {
  const claim = createServer().unref();
  await once(claim.listen('\0sluice-bench'), 'listening').catch(() => {
    throw new Error('another scripts/bench runs on this machine');
  });
}

async function runBench(options: Options): Promise<Report> {
  await claimMachine();
  const { subjects, other } = await subjectsWithOther(options);
  const machine = await describeMachine();
  const watch = await NoiseWatch.start();
  for (const sentence of disturbances(watch.noise())) console.error(`bench: not quiet: ${sentence}`);
  const results = new Results();
  await measure({ options, subjects, other, results });
  const noise = watch.stop();
  for (const metric of ['ping p50', 'tcp round trip p50', 'udp round trip p50'])
    results.addExcess(metric, 'bridge+nft');
  const { stolenPercent, othersPercent } = noise;
  return {
    machine: { ...machine, stolenPercent: round(stolenPercent), othersPercent: round(othersPercent) },
    disturbances: disturbances(noise),
    results: results.summaries(),
    ratios: results.ratios(other === undefined ? [] : [`@${other.commit}`]),
    limits: results.limits(),
  };
}

const round = (percent: number): number => Math.round(percent * 10) / 10;

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    console.log(USAGE);
    return;
  }
  const earlier =
    options.compare !== undefined && existsSync(options.compare) ? readReport(options.compare) : undefined;
  const report = options.from === undefined ? await runBench(options) : readReport(options.from);
  console.log(reportText(report));
  if (earlier !== undefined) {
    for (const caveat of caveats(earlier, report)) console.error(`bench: two runs that differ: ${caveat}`);
    console.log(`\n${comparisonTable(earlier, report)}`);
  }
  if (options.page !== undefined) writeFileSync(options.page, reportPage(report));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  else if (options.from === undefined) console.log(`\n${JSON.stringify(report)}`);
}

await main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
