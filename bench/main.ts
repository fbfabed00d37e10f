/**
 * scripts/bench: measures Sluice beside the kernel bridge, Open vSwitch, nginx and HAProxy on one rig, in turn, and
 * prints medians with their spread, the promised ratios, and all of it as JSON.
 *
 * A turn: fresh namespaces, the subject, the servers, its rules tried out, each load once behind a second of warm-up,
 * everything removed. A round
 * gives each subject a turn; rounds repeat, so that a drift of the machine falls on all alike.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Cleanup } from '../test/command.ts';
import { haproxy, nginx } from './http-proxies.ts';
import { measureDns } from './dns.ts';
import { measureFlowHistory } from './flow-history.ts';
import { measureFlowStream } from './flow-stream.ts';
import { bareBridge, kernelBridge } from './kernel-bridge.ts';
import { envoy, hasEnvoy } from './envoy.ts';
import { startHttp2Servers } from './http2.ts';
import { measureL7Rules } from './l7-rules.ts';
import type { Load } from './load.ts';
import { checkHttpRules, HTTP_LOADS, L4_LOADS, startServers } from './loads.ts';
import { describeMachine, stolenCpuUs } from './machine.ts';
import { runMeasured } from './measured.ts';
import { measureMemory } from './memory.ts';
import { measureObservability } from './observability.ts';
import { openVswitch } from './open-vswitch.ts';
import { runProgramBenches } from './programs.ts';
import { measureRestart } from './restart.ts';
import { limitTable, Results, ratioTable, summaryTable } from './series.ts';
import { measureServerNames } from './server-names.ts';
import { measureServices } from './services.ts';
import { sluice } from './sluice.ts';
import { CLIENT, makeNamespaces, type Raised, type RuleSet, SERVER, type Subject } from './subject.ts';

const USAGE = `usage: scripts/bench [PART ...] [--rounds N] [--seconds N] [--pods N] [--flows N] [--subjects A,B] [--json FILE]
parts:      tcp udp crr ping (L4 rules), http (HTTP policy), mem (100 pods), restart (dataplane killed),
            services (an address of a service beside the pod's, alone and among 10,000; beside nftables),
            l7 (HTTP/1.1, HTTP/2 and gRPC through rules beside proxies; HTTP and Kafka rules beside an L4 rule),
            sni (TLS under serverNames beside an L4 rule), dns (DNS rules beside none, sluice-dns beside dnsmasq),
            observe (flows off, on, followed, kept; flows to one client, millions on disk, decoding), or one of its parts:
            observability, flow-stream, flow-history, flow-decoding,
            pipeline, policy and any other NAME with a file NAME*.bench.ts
            default: tcp udp crr ping http mem restart pipeline
rounds:     turns of each subject, default 3; seconds: length of each load, default 3; pods: silent ones beside, in restart;
            flows: on disk, in flow-history, default 10000000
subjects:   bridge,ovs,nginx,haproxy,envoy,bare,sluice,sluice-veth,sluice-tap; default: all but the last two, envoy where
            the variable ENVOY names the program`;

const SUBJECTS: Readonly<Record<string, Subject>> = {
  bridge: kernelBridge,
  bare: bareBridge,
  ovs: openVswitch,
  nginx,
  haproxy,
  envoy,
  sluice: sluice('default'),
  'sluice-veth': sluice('veth'),
  'sluice-tap': sluice('tap'),
};
const DEFAULT_SUBJECTS = ['bridge', 'bare', 'ovs', 'nginx', 'haproxy', ...(hasEnvoy ? ['envoy'] : []), 'sluice'];
/** What `observe` stands for. */
const OBSERVE_PARTS = ['observability', 'flow-stream', 'flow-history', 'flow-decoding'];
const DEFAULT_PARTS = ['tcp', 'udp', 'crr', 'ping', 'http', 'mem', 'restart', 'pipeline'];

interface Options {
  parts: string[];
  rounds: number;
  seconds: number;
  /** Silent pods beside the two of the part `restart`. */
  pods: number;
  /** On disk, in the part `flow-history`. */
  flows: number;
  subjects: Subject[];
  json?: string | undefined;
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '3' },
      pods: { type: 'string', default: '0' },
      flows: { type: 'string', default: '10000000' },
      subjects: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const names = values.subjects?.split(',') ?? DEFAULT_SUBJECTS;
  const unknown = names.filter((name) => !(name in SUBJECTS));
  if (unknown.length > 0) throw new Error(`unknown subject ${unknown.join(', ')}\n${USAGE}`);
  return {
    parts:
      positionals.length > 0
        ? positionals.flatMap((part) => (part === 'observe' ? OBSERVE_PARTS : [part]))
        : DEFAULT_PARTS,
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    pods: Number(values.pods),
    flows: Number(values.flows),
    subjects: names.map((name) => SUBJECTS[name]),
    json: values.json,
  };
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

async function measureLoads(
  options: Options,
  rules: RuleSet,
  table: Readonly<Record<string, Load[]>>,
  results: Results,
) {
  const loads = options.parts.flatMap((part) => table[part] ?? []);
  if (loads.length === 0) return;
  const subjects = options.subjects.filter((subject) => subject.ruleSets.includes(rules));
  for (let round = 1; round <= options.rounds; round++) {
    console.error(`${rules} rules, round ${round} of ${options.rounds}`);
    for (const subject of subjects) {
      await attempt(subject.name, takeTurn(subject, rules, loads, options.seconds, results));
    }
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  const machine = await describeMachine();
  const stolen = stolenCpuUs();
  const began = performance.now();
  const results = new Results();

  await measureLoads(options, 'l4', L4_LOADS, results);
  await measureLoads(options, 'http', HTTP_LOADS, results);
  const { rounds, seconds } = options;
  const subjects = options.subjects.map(({ name }) => name);
  const rigs: Record<string, () => Promise<void>> = {
    mem: () => measureMemory(results),
    restart: () => measureRestart(rounds, options.pods, results),
    services: () => measureServices({ rounds, seconds, subjects }, results),
    l7: () => measureL7Rules(rounds, seconds, results),
    sni: () => measureServerNames(rounds, seconds, results),
    dns: () => measureDns(rounds, seconds, results),
    observability: () => measureObservability(rounds, seconds, results),
    'flow-stream': () => measureFlowStream(rounds, seconds, results),
    'flow-history': () => measureFlowHistory(rounds, options.flows, results),
  };
  for (const [part, measure] of Object.entries(rigs)) {
    if (options.parts.includes(part)) await attempt(part, measure());
  }
  const known = new Set(Object.keys({ ...L4_LOADS, ...HTTP_LOADS, ...rigs }));
  const programs = options.parts.filter((part) => !known.has(part) || part === 'l7');
  await attempt('programs', runProgramBenches(programs, results));

  const stolenPercent = (stolenCpuUs() - stolen) / ((performance.now() - began) * 10 * Number(machine['cores']));
  const report = {
    machine: { ...machine, stolenPercent },
    results: results.summaries(),
    ratios: results.ratios(),
    limits: results.limits(),
  };
  console.log(
    Object.entries(report.machine)
      .map(([key, value]) => `${key}: ${value}`)
      .join('\n'),
  );
  console.log(`\n${summaryTable(report.results)}`);
  if (report.ratios.length > 0) console.log(`\n${ratioTable(report.ratios)}`);
  if (report.limits.length > 0) console.log(`\n${limitTable(report.limits)}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  else console.log(`\n${JSON.stringify(report)}`);
}

await main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
