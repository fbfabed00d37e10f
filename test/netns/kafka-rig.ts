/**
 * librdkafka's mock cluster of three brokers, each with an address of its own, and two pods that are its clients: `ship`, under rules, and
 * `base`, without.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { type Cleanup, inNetns, isListening, type Outcome, PATIENCE_SEC, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const PORT = 9092;
/** Of nine characters, as kafka.py wants them. */
const HOSTS = ['10.9.9.90', '10.9.9.91', '10.9.9.92'];

const pod = (name: string, address: string, command: readonly string[] = []) => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: empire, labels: { app: ${name.replace(/-.*/, '')} } }
spec: { containers: [{ name: main, image: example/${name}${command.length > 0 ? `, command: ${JSON.stringify(command)}` : ''} }] }
status: { podIPs: [{ ip: ${address} }] }
---
`;

const policy = (rules: readonly string[]) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: topics, namespace: empire }
spec:
  endpointSelector: { matchLabels: { app: kafka } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: ship } }]
      toPorts: [{ ports: [{ port: "${PORT}", protocol: TCP }], rules: { kafka: [${rules.join(', ')}] } }]
    - fromEndpoints: [{ matchLabels: { app: base } }]
      toPorts: [{ ports: [{ port: "${PORT}", protocol: TCP }] }]
`;

export class KafkaRig {
  readonly instance: SluiceInstance;
  /** HOST:PORT of each broker. */
  readonly brokers: readonly string[] = HOSTS.map((host) => `${host}:${PORT}`);
  readonly #dir: string;

  private constructor(instance: SluiceInstance, dir: string) {
    this.instance = instance;
    this.#dir = dir;
  }

  /** @param name of the instance, at most ten characters */
  static async start(name: string, cleanup: Cleanup): Promise<KafkaRig> {
    const dir = mkdtempSync(`/tmp/${name}-`);
    cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
    const command = [join(PACKAGE_ROOT, 'examples/kafka.py'), dir];
    const named = HOSTS.map((host) => `${host}:${PORT}`);
    const brokers = HOSTS.map((host, number) => pod(`kafka-${number}`, host, [...command, String(number), ...named]));
    const clients = pod('ship', '10.244.0.10') + pod('base', '10.244.0.11');
    writeFileSync(join(dir, 'rig.yaml'), brokers.join('') + clients);
    const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
    for (const number of HOSTS.keys()) {
      await waitFor(`broker ${number} to listen`, () => isListening(instance.netnsOf(`empire/kafka-${number}`), PORT));
    }
    return new KafkaRig(instance, dir);
  }

  /** What the ship may do from now on. */
  async rules(...rules: string[]): Promise<void> {
    writeFileSync(join(this.#dir, 'policy.yaml'), policy(rules));
    await this.instance.apply(join(this.#dir, 'policy.yaml'));
  }

  /** The command line of a client in a pod. */
  argv(from: string, argv: readonly string[]): string[] {
    return inNetns(this.instance.netnsOf(`empire/${from}`), ['timeout', String(PATIENCE_SEC), ...argv]);
  }

  kcat(from: string, args: readonly string[], input = ''): Promise<Outcome> {
    const quick = ['-X', 'message.timeout.ms=5000', '-X', 'socket.timeout.ms=5000'];
    return run(this.argv(from, ['kcat', '-b', this.brokers[0], ...quick, ...args]), { input });
  }
}
