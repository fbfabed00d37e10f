/** Endpoints as `sluice endpoint` shows them, in the columns of cilium-dbg. */
import type { Palette } from '../terminal/color.ts';
import { DaemonApi } from '../../api/daemon-api.ts';
import type { EndpointDocument } from '../../api/shapes.ts';
import { Failure } from '../terminal/failure.ts';
import { printDocument, printListing } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import type { Column } from '../terminal/table.ts';

/** Prints the endpoints, one label a line. */
export async function listEndpoints(settings: Settings): Promise<void> {
  const all = await new DaemonApi(settings).endpoints();
  const rows = all.filter(({ place }) => place !== 'external').sort((a, b) => a.id - b.id);
  await printListing(settings, { columns: columns(settings.paint), rows, nameOf: (one) => `endpoint/${one.id}` });
}

/**
 * Prints one endpoint as a document.
 * @param reference an id, or `namespace/name` of a pod
 * @throws Failure when there is no such endpoint
 */
export async function showEndpoint(settings: Settings, reference: string): Promise<void> {
  const api = new DaemonApi(settings);
  const isMeant = ({ id, namespace, pod }: EndpointDocument) =>
    String(id) === reference || `${namespace}/${pod}` === reference;
  const found = (await api.endpoints()).find(isMeant);
  if (found === undefined) throw new Failure(`find endpoint ${reference}: there is none: see \`sluice endpoint list\``);
  return printDocument(settings, found);
}

function columns(paint: Palette): readonly Column<EndpointDocument>[] {
  const enforcement = (text: string) => (text === 'Disabled' ? paint.dim : undefined);
  return [
    { header: 'ENDPOINT', cell: (one) => one.id },
    { header: 'POLICY (ingress)\nENFORCEMENT', cell: (one) => one.policy?.ingress, paint: enforcement },
    { header: 'POLICY (egress)\nENFORCEMENT', cell: (one) => one.policy?.egress, paint: enforcement },
    { header: 'IDENTITY', cell: (one) => one.identity },
    { header: 'LABELS (source:key[=value])', cell: (one) => one.labels.join('\n') },
    { header: 'IPv6', cell: (one) => one.ipv6 },
    { header: 'IPv4', cell: (one) => one.ipv4 },
    { header: 'STATUS', cell: (one) => one.state, paint: (text) => (text === 'ready' ? paint.green : paint.red) },
    { header: 'POD', cell: (one) => `${one.namespace}/${one.pod}`, isWide: true },
    { header: 'INTERFACE', cell: (one) => one.interface, isWide: true },
    { header: 'NETNS', cell: (one) => one.netns, isWide: true },
    { header: 'PROBLEM', cell: (one) => one.problem, isWide: true },
  ];
}
