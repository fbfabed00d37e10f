/**
 * What an address of a service costs beside the pod's own, alone and among 10,000 other services, in Sluice and in the rules
 * that kube-proxy makes; and how soon a change is in force.
 *
 * A turn builds a subject, compares both ways in turn, adds the other services, and compares again.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cleanup } from '../test/command.ts';
import { CROWD, crowdManifest } from './crowd-services.ts';
import { L4_LOADS, startServers } from './loads.ts';
import { addNftCrowd, raiseNftServices } from './nft-services.ts';
import type { Results } from './series.ts';
import { measureUpdates } from './service-update.ts';
import { raiseSluice } from './sluice.ts';
import { CLIENT, IPERF_PORT, makeNamespaces, SERVER, WEB_PORT } from './subject.ts';
import { inTurn } from './turns.ts';

const CLUSTER_IP = '10.96.200.1';
const LOADS = [L4_LOADS['tcp']?.[0], L4_LOADS['udp']?.[0], L4_LOADS['crr']?.[0]].filter((load) => load !== undefined);

/** Names of the ways, as the ratios of series.ts know them. */
const SERVICE = 'service';
const POD = 'pod';
const AMONG_MANY = `of ${CROWD + 1}`;

const SERVER_SERVICE = `apiVersion: v1
kind: Service
metadata: { name: server, namespace: bench }
spec:
  clusterIP: ${CLUSTER_IP}
  selector: { app: server }
  ports:
    - { name: iperf, port: ${IPERF_PORT}, protocol: TCP }
    - { name: iperf-udp, port: ${IPERF_PORT}, protocol: UDP }
    - { name: web, port: ${WEB_PORT}, protocol: TCP }
`;

interface Subject {
  readonly name: string;
  readonly address: string;
  readonly pids: () => number[];
  /** Adds the other services. */
  crowd(): Promise<void>;
  /** What is measured of this subject alone. */
  more(): Promise<void>;
}

async function raiseOurs(cleanup: Cleanup, results: Results): Promise<Subject> {
  const dir = mkdtempSync('/tmp/slb-services-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  const { instance, address } = await raiseSluice({ attach: 'default', rules: 'l4', bystanders: 0 }, cleanup);
  const apply = async (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    await instance.apply(join(dir, name));
  };
  await apply('server.yaml', SERVER_SERVICE);
  const crowd = () => apply('crowd.json', crowdManifest());
  return {
    name: 'sluice',
    address,
    pids: () => instance.pids(),
    crowd,
    more: () => measureUpdates(instance, 'sluice', results),
  };
}

async function raiseKernels(cleanup: Cleanup): Promise<Subject> {
  const { address } = await raiseNftServices(CLUSTER_IP, cleanup);
  return { name: 'nft', address, pids: () => [], crowd: addNftCrowd, more: () => Promise.resolve() };
}

async function takeTurn(
  raise: (cleanup: Cleanup) => Promise<Subject>,
  seconds: number,
  results: Results,
): Promise<void> {
  const cleanup = new Cleanup();
  try {
    await makeNamespaces(cleanup, CLIENT, SERVER);
    const { name, address, pids, crowd, more } = await raise(cleanup);
    await startServers(cleanup);
    const ways = (suffix: string) => [
      { name: `${name} ${POD}${suffix}`, address, pids },
      { name: `${name} ${SERVICE}${suffix}`, address: CLUSTER_IP, pids },
    ];
    await inTurn(ways(''), LOADS, seconds, results);
    await crowd();
    await inTurn(ways(` ${AMONG_MANY}`), LOADS, seconds, results);
    await more();
  } finally {
    cleanup.finish();
  }
}

/** @param subjects short names; `sluice` and `bridge` have a part in this */
export async function measureServices(
  { rounds, seconds, subjects }: { rounds: number; seconds: number; subjects: readonly string[] },
  results: Results,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    console.error(`services, round ${round} of ${rounds}`);
    if (subjects.includes('sluice')) await takeTurn((cleanup) => raiseOurs(cleanup, results), seconds, results);
    if (subjects.includes('bridge+nft')) await takeTurn(raiseKernels, seconds, results);
  }
}
