/**
 * What is no manifest and is read all the same: configurations, queries, test files. Mutants of them are read as their users have
 * them read. Nothing is thrown but a refusal, each problem of which has its place, and what is taken can be used.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { runSuite } from '../../cli/policy/suite.ts';
import { loadPolicyConfig } from '../../cli/policy/config.ts';
import { answerLine } from '../../cli/policy/verdict-command.ts';
import { Failure } from '../../cli/terminal/failure.ts';
import { ConfigError, parseConfig } from '../../daemon/config/config.ts';
import { FlowJudge } from '../../explain/verdict.ts';
import { PolicyWorld } from '../../explain/world.ts';
import { readDocuments } from '../../policy/document/document.ts';
import { hasErrors } from '../../policy/rule/problems.ts';
import { testHost } from '../cli-host.ts';
import { type Draw, mutated, mutatedText, pick } from './mutation.ts';
import { seedManifests } from './seed-manifests.ts';

/** What one mutant showed; '' in `fault` = all is well. */
export interface Outcome {
  readonly text: string;
  readonly fault: string;
  readonly isRefused: boolean;
}

const CONFIG = parse(`
name: sl
manifests: /etc/sluice/manifests
logLevel: info
netnsPrefix: sl-
attach: veth
mtu: 1500
podCIDRs: {ipv4: 10.244.0.0/16, ipv6: "fd00:244::/64"}
router: {ipv4: 10.244.0.1}
uplink: {interface: eth9, gateway4: 192.0.2.1, prefixes: [0.0.0.0/0]}
standIns: {httpbin: [httpbin-server, "80"]}
monitor-aggregation: medium
hubble: {event-buffer-capacity: 4095}
faults: drop=1%
policy: {enable-policy: default, policy-cidr-match-mode: [nodes], allow-localhost: auto, dual-stack: true, labels: ["k8s:.*", "!extra"]}
maps: {bpf-ct-global-tcp-max: 1024, bpf-policy-map-max: 1024}
`) as unknown;

/** Each meets rules that judge its request. */
const QUERIES = parse(`
- {id: 1, from: {labels: ["k8s:app=api"], namespace: shop}, to: {pod: shop/web}, port: 80, protocol: TCP, http: {method: GET, path: /api/a, host: x, headers: {X-A: b}}}
- {from: {pod: shop/web}, to: {labels: ["k8s:app=dns"], namespace: kube-system}, port: 53, protocol: UDP, dns: {query: a.com}}
- {from: {pod: shop/web}, to: {ip: 192.0.2.200}, port: 9092, kafka: {apiKey: produce, topic: t, clientID: c, apiVersion: 1}}
- {from: {pod: shop/web}, to: {entity: world}, port: https, sni: b.a.com}
- {from: {pod: shop/web}, to: {ip: "2001:db8::1"}, icmp: {family: IPv6, type: EchoRequest}}
`) as readonly unknown[];

const SUITE = parse(`
name: suite
world: [{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, status: {podIP: 10.0.0.1}}]
policies: [{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: shop}, spec: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}}]
config: {enable-policy: default}
names: {a.com: [192.0.2.1]}
tests:
  - {name: one, from: world, to: shop/web, port: 80, http: {method: GET, path: /}, verdict: denied, ingress: denied, l7: none, by: NetworkPolicy/shop/a}
  - {from: {ip: 10.0.0.9}, to: shop/app=web, icmp: {family: IPv4, type: 8}, verdict: denied, by: [NetworkPolicy/shop/a]}
`) as unknown;

/** The places that such mutants go. */
export class InputProving {
  readonly #root: string;
  readonly #draw: Draw;
  readonly #judge: FlowJudge;

  /** @param root a directory to write in */
  constructor(root: string, draw: Draw) {
    this.#root = root;
    this.#draw = draw;
    const text = seedManifests()
      .map((object) => stringify(object))
      .join('---\n');
    const { documents } = readDocuments(text, 'world.yaml', { 'enable-node-selector-labels': true });
    this.#judge = new FlowJudge(new PolicyWorld(documents, {}));
  }

  /** Makes a mutant, has it read, and says what went wrong. */
  async next(): Promise<Outcome> {
    const kind = this.#draw(3);
    if (kind === 0) return this.#config(this.#textOf(CONFIG));
    if (kind === 1) return this.#suite(this.#textOf(SUITE));
    const isText = this.#draw(5) === 0;
    const query = pick(QUERIES, this.#draw);
    const line = isText ? mutatedText(query, this.#draw) : JSON.stringify(mutated(query, this.#draw));
    return this.#query(line);
  }

  #textOf(seed: unknown): string {
    return this.#draw(5) === 0 ? mutatedText(seed, this.#draw) : stringify(mutated(seed, this.#draw));
  }

  /** As the daemon reads it at start, and as `policy --config` does. */
  #config(text: string): Outcome {
    const file = this.#write('mutant-config.yaml', text);
    let isRefused = false;
    let fault = '';
    try {
      const { policy } = parseConfig(text, file);
      useOptions(policy);
    } catch (error) {
      isRefused = true;
      if (!(error instanceof ConfigError)) fault = `threw ${(error as Error).stack}`;
      else if (!hasErrors(error.problems)) fault = 'refused without an error';
      else fault = placeFault(error.message, file);
    }
    try {
      useOptions(loadPolicyConfig(file, undefined));
    } catch (error) {
      fault ||= error instanceof Failure ? placeFault(error.message, file) : `threw ${(error as Error).stack}`;
    }
    return { text, isRefused, fault };
  }

  #query(text: string): Outcome {
    try {
      const answer = answerLine(this.#judge, text);
      const { verdict, error = '' } = answer;
      const isRefused = verdict === 'error';
      const isTold = isRefused ? error !== '' && !isOurs(error) : verdict === 'allowed' || verdict === 'denied';
      return { text, isRefused, fault: isTold ? '' : `answered ${JSON.stringify(answer)}` };
    } catch (error) {
      return { text, isRefused: false, fault: `threw ${(error as Error).stack}` };
    }
  }

  async #suite(text: string): Promise<Outcome> {
    // A suite may name folders; the whole machine is none of a test.
    if (/["'[ ](\/+\.*|\.\.)["',\]\n]/.test(text)) return { text, isRefused: true, fault: '' };
    const file = this.#write('mutant.test.yaml', text);
    try {
      const { cases } = await runSuite(testHost().host, file, {});
      const isTold = cases.every(
        ({ answer, line }) => ['allowed', 'denied', 'error'].includes(answer.verdict) && line > 0,
      );
      return { text, isRefused: false, fault: isTold ? '' : `answered ${JSON.stringify(cases)}` };
    } catch (error) {
      const isRefusal = error instanceof Failure;
      return {
        text,
        isRefused: true,
        fault: isRefusal ? placeFault(error.message, this.#root) : `threw ${(error as Error).stack}`,
      };
    }
  }

  #write(name: string, text: string): string {
    const file = join(this.#root, name);
    writeFileSync(file, text);
    return file;
  }
}

/** Options that were taken compile. */
function useOptions(options: ConstructorParameters<typeof PolicyWorld>[1]): void {
  const { documents } = readDocuments('apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n', 'f', options);
  new FlowJudge(new PolicyWorld(documents, options));
}

function placeFault(message: string, file: string): string {
  return message.includes(file) && !isOurs(message) ? '' : `refused without its place: ${message}`;
}

/** Words that no message of ours has unless something went wrong in us. */
function isOurs(message: string): boolean {
  return /undefined|\[object|fault of Sluice|NaN/.test(message);
}
