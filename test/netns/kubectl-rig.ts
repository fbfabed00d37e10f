/** A Kubernetes API on loopback with a kubelet behind it, and kubectl in front: connections into pods, without an agent. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KubeServer } from '../../apiserver/http/kube-server.ts';
import { OpenApi } from '../../apiserver/openapi/openapi.ts';
import { Structures } from '../../apiserver/openapi/structures.ts';
import { Writes } from '../../apiserver/patch/writes.ts';
import { Resources } from '../../apiserver/resources/resources.ts';
import { writeKubeconfig } from '../../daemon/kube-api/kubeconfig.ts';
import { KubeListener } from '../../daemon/kube-api/listener.ts';
import { openPki } from '../../daemon/kube-api/pki.ts';
import { PodStreams } from '../../kubelet/streams/pod-streams.ts';
import { type Outcome, run, type RunOptions } from '../command.ts';
import { freePort } from '../free-port.ts';
import type { Kubectl } from '../kubectls.ts';
import type { KubeletRig } from './kubelet-rig.ts';

const VERSION = { gitCommit: '', gitTreeState: '', buildDate: '', goVersion: '', compiler: '' };

export class KubectlRig {
  readonly kubeconfig: string;
  /** Ends connections, and what they run. */
  readonly stop: () => Promise<void>;

  private constructor(kubeconfig: string, stop: () => Promise<void>) {
    this.kubeconfig = kubeconfig;
    this.stop = stop;
  }

  static async start({ storage, kubelet, runDir, netns }: KubeletRig): Promise<KubectlRig> {
    const resources = new Resources();
    const structures = new Structures();
    resources.follow(storage);
    const endpoint = () => ({ state: 'ready', problem: '', netns, addresses: [] });
    const streams = new PodStreams({ storage, kubelet, runDir, network: { endpoint } });
    const address = `127.0.0.1:${await freePort()}`;
    const server = new KubeServer({
      storage,
      resources,
      writes: new Writes(structures),
      openApi: new OpenApi(resources, structures, 'v1.37.0'),
      admission: {
        concerns: () => false,
        check: () => Promise.resolve({ warnings: [], causes: [] }),
        published: () => Promise.resolve(''),
      },
      connections: streams,
      version: { ...VERSION, major: '1', minor: '37', gitVersion: 'v1.37.0' },
      address,
    });
    mkdirSync(join(runDir, 'pki'), { recursive: true });
    const pki = await openPki(join(runDir, 'pki'), Date.now());
    const listener = new KubeListener({
      pki,
      serve: (request, response) => server.serve(request, response),
      upgrade: (request, socket, head) => server.upgrade(request, socket, head),
    });
    await listener.start({ host: '127.0.0.1', port: Number(address.split(':')[1]) });
    storage.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
    const kubeconfig = join(runDir, 'kubeconfig');
    writeKubeconfig(kubeconfig, address, 'test', pki);
    return new KubectlRig(kubeconfig, async () => {
      await streams.stop();
      server.stop();
      await listener.stop();
    });
  }

  get env(): Record<string, string> {
    return { KUBECONFIG: this.kubeconfig, HOME: dirname(this.kubeconfig) };
  }

  kubectl({ path }: Kubectl, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return run([path, ...args], { ...options, env: this.env });
  }
}
