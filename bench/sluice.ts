/** Sluice: the daemon with its own instance name, both pods selected in both directions by the policies below. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cleanup } from '../test/command.ts';
import { crowdManifests } from '../test/crowd.ts';
import { SluiceInstance } from '../test/rig.ts';
import type { Build } from './builds.ts';
import {
  CHATTY_PORT,
  CLIENT,
  GRPC_PORT,
  IPERF_PORT,
  JUMBO_MTU,
  type Raised,
  type RuleSet,
  SERVER,
  SOCKETS_PORT,
  type Subject,
  WEB2_PORT,
  WEB_PORT,
} from './subject.ts';

const CROWD_PATIENCE_MS = 2000; // for each pod of a crowd
const ADDRESS = '10.98.0.13'; // the first ones are drawn, by the cluster's name server too
const CLIENT_ADDRESS = '10.98.0.12';

const pod = (name: string, netns: string, address: string, attach: string) => `---
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: bench
  labels: { app: ${name} }
  annotations: { sluice.io/netns: ${netns}${attach === 'default' ? '' : `, sluice.io/attach: ${attach}`} }
status: { podIP: ${address} }
`;

function policies(rules: RuleSet): string {
  const tcp = (port: number) => `{ port: "${port}", protocol: TCP }`;
  const any = (port: number) => `{ port: "${port}", protocol: ANY }`;
  const web = rules === 'l4' ? tcp(WEB_PORT) : [WEB_PORT, WEB2_PORT, CHATTY_PORT].map(tcp).join(', ');
  const open = rules === 'l4' ? `${any(IPERF_PORT)}, ${any(SOCKETS_PORT)}, ${web}` : web;
  const http =
    rules === 'http'
      ? `rules: { http: [{ method: GET, path: "/public(/.*)?" }, { method: PUT, path: "/version" }] }
        - ports: [${tcp(GRPC_PORT)}]
          rules: { http: [{ method: POST, path: "/shop[.]Open/.*" }] }`
      : '';
  return `---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: server, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: server } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [${open}]
          ${http}
    - fromEndpoints: [{ matchLabels: { app: client } }]
      icmps: [{ fields: [{ type: 8, family: IPv4 }] }]
  egress: [{}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: client, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: client } }
  ingress: [{}]
  egress:
    - toEndpoints: [{ matchLabels: { app: server } }]
      toPorts:
        - ports: [${open}${rules === 'http' ? `, ${tcp(GRPC_PORT)}` : ''}]
    - toEndpoints: [{ matchLabels: { app: server } }]
      icmps: [{ fields: [{ type: 8, family: IPv4 }] }]
`;
}

/** The manifests of this bench's rig. */
const manifests = (rules: RuleSet, attach: string): string =>
  `apiVersion: v1
kind: Namespace
metadata: { name: bench }
${pod('client', CLIENT, CLIENT_ADDRESS, attach)}${pod('server', SERVER, ADDRESS, attach)}${policies(rules)}`;

/** `default`: as the daemon chooses; `offload`: so, and settled connections by the kernel. */
export type Attach = 'veth' | 'tap' | 'default' | 'offload';

interface RigOptions {
  readonly attach: Attach;
  readonly rules: RuleSet;
  /** Pods that are there and silent. */
  readonly bystanders: number;
  /** Further documents, in force before anything is measured. */
  readonly more?: string;
  /** Further lines of sluice.yaml. */
  readonly config?: string;
  /** Whose agent runs; undefined: of this tree. */
  readonly build?: Build | undefined;
}

/** The rig, and the instance behind it. */
export async function raiseSluice(
  { attach, rules, bystanders, more = '', config = '', build }: RigOptions,
  cleanup: Cleanup,
): Promise<{ instance: SluiceInstance; address: string }> {
  const dir = mkdtempSync('/tmp/slb-sluice-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'rig.yaml');
  writeFileSync(file, manifests(rules, attach) + more);
  const instance = await SluiceInstance.start({
    ...{ name: 'slb', podCIDR4: '10.98.0.0/16', cleanup },
    ...{ netnsPrefix: 'slb-', createNamespaces: true, config, programs: build?.root },
  });
  await instance.apply(file);
  await instance.untilReady(['bench/client', 'bench/server']);
  if (bystanders > 0) {
    const crowd = join(dir, 'crowd.yaml');
    writeFileSync(crowd, crowdManifests('crowd', new Array<string>(bystanders).fill('veth')));
    await instance.apply(crowd);
    const pods = Array.from({ length: bystanders }, (_, index) => `crowd/p${index}`);
    await instance.untilReady(pods, bystanders * CROWD_PATIENCE_MS);
  }
  return { instance, address: ADDRESS };
}

async function up(options: RigOptions, cleanup: Cleanup): Promise<Raised> {
  const { instance, address } = await raiseSluice(options, cleanup);
  return { address, pids: () => instance.pids() };
}

/**
 * Attached by veth pairs (AF_PACKET) or by TAP devices.
 * @param bystanders pods that are there and silent
 * @param build of another commit
 */
export const sluice = (attach: Attach, bystanders = 0, build?: Build): Subject => {
  const isOffloading = attach === 'offload';
  const config = isOffloading ? 'offload: nft\n' : '';
  const variant: Omit<RigOptions, 'rules'> = { attach: isOffloading ? 'default' : attach, bystanders, build, config };
  const base = {
    name: `${attach === 'default' ? 'sluice' : `sluice ${attach}`}${build === undefined ? '' : `@${build.commit}`}`,
    ruleSets: ['l4', 'http'] as const,
  };
  const withMtu = `mtu: ${JUMBO_MTU}\n`;
  return {
    ...base,
    up: (rules, cleanup) => up({ ...variant, rules }, cleanup),
    jumbo: { ...base, up: (rules, cleanup) => up({ ...variant, rules, config: config + withMtu }, cleanup) },
  };
};
