/** `sluice status --format cilium`: the lines of `cilium status` in an agent of Cilium's, for scripts that look for them; what Sluice has no such thing of is left out. */
import type { StatusDocument } from '../../api/shapes.ts';
import { printable } from '../terminal/table.ts';

const WIDTH = 24;

/** @param problems what is wrong, a sentence each */
export function ciliumStatus(status: StatusDocument, problems: readonly string[]): string {
  const { endpoints, controllers, dataplane, flows, hubble, services } = status;
  const ill = controllers.filter(({ lastError }) => lastError !== '').length;
  const share = flows.capacity === 0 ? 0 : (flows.kept / flows.capacity) * 100;
  const observed = `Current/Max Flows: ${flows.kept}/${flows.capacity} (${share.toFixed(2)}%), Flows/s: ${(hubble?.flowsRate ?? 0).toFixed(2)}`;
  const lines: [string, string][] = [
    ['KubeProxyReplacement', 'True'],
    [
      'Cilium',
      problems.length === 0 ? `Ok   Sluice ${status.version}` : `Failure   ${problems.map(printable).join('; ')}`,
    ],
    ['NodeMonitor', `Listening for events, ${flows.seen} seen, ${flows.lost} lost`],
    ['IPAM', `${endpoints.total} addresses of pods`],
    ['Services', `${services.total}, ${services.frontends} frontends, ${services.backends} backends`],
    ['Controller Status', `${controllers.length - ill}/${controllers.length} healthy`],
    [
      'Proxy Status',
      `${dataplane.state === 'running' ? 'OK' : 'Failure'}, in the dataplane, pid ${dataplane.pid}, ${dataplane.state}`,
    ],
    ['Global Identity Range', `${status.identities} identities`],
    ['Hubble', flows.capacity === 0 ? 'Disabled' : `Ok   ${observed}`],
    ['Encryption', 'Disabled'],
    ['Cluster health', `${endpoints.ready}/${endpoints.total} reachable`],
  ];
  return lines.map(([name, text]) => `${`${name}:`.padEnd(WIDTH)} ${text}\n`).join('');
}
