/** Services as the pinned maps have them, for `sluice service` and `sluice bpf lb`: the daemons are not asked. */
import type { BackendEntry } from '../../policy-maps/service/backend-map.ts';
import {
  SCOPE_INTERNAL,
  SERVICE_EXTERNAL_IP,
  SERVICE_HOST_PORT,
  SERVICE_LOAD_BALANCER,
  SERVICE_NODE_PORT,
  SERVICE_ROUTABLE,
  type ServiceEntry,
} from '../../policy-maps/service/service-map.ts';
import type { AddressWords } from '../../policy-maps/ipcache.ts';
import { formatIp } from '../../wire/address.ts';
import { protocolName } from '../../wire/protocols.ts';
import type { Settings } from '../terminal/settings.ts';
import { openPinned } from './pinned-maps.ts';

/** A frontend with the backends behind it. */
export interface ServiceRow {
  /** Its number, 0 of the wildcard of an address. */
  readonly id: number;
  /** `10.96.0.1:80/TCP`; with `/i` behind it that of clients inside. */
  readonly frontend: string;
  readonly type: string;
  /** As cilium-dbg has them, the type first. */
  readonly flags: readonly string[];
  readonly affinitySec: number;
  readonly backends: readonly BackendRow[];
}

export interface BackendRow {
  readonly id: number;
  readonly address: string;
  readonly state: string;
}

/** Every frontend, in order of id. */
export function serviceRows(settings: Settings): ServiceRow[] {
  const slots = openPinned(settings, 'slots');
  const backends = openPinned(settings, 'backends');
  const rows = [...openPinned(settings, 'services').entries()].map((entry) => {
    const members = entry.block === 0 ? [] : (slots.read(entry.block, entry.frontend)?.members ?? []);
    const behind = members.map((id) => backends.get(id)).filter((one) => one !== undefined);
    return serviceRow(entry, behind.map(backendRow));
  });
  return rows.sort((a, b) => a.id - b.id || (a.frontend < b.frontend ? -1 : 1));
}

function serviceRow(entry: ServiceEntry, backends: readonly BackendRow[]): ServiceRow {
  const { frontend, scope, flagNames, affinitySec } = entry;
  const type = typeOf(entry.flags);
  const others = flagNames.filter((name) => name !== type && name !== 'routable');
  const isRoutable = (entry.flags & SERVICE_ROUTABLE) !== 0;
  return {
    id: frontend,
    frontend:
      entry.port === 0
        ? `${bracketed(entry.address)}:0/ANY`
        : pointText(entry) + (scope === SCOPE_INTERNAL ? '/i' : ''),
    type,
    flags: [type, ...others, ...(isRoutable ? [] : ['non-routable'])],
    affinitySec,
    backends,
  };
}

function typeOf(flags: number): string {
  if ((flags & SERVICE_NODE_PORT) !== 0) return 'NodePort';
  if ((flags & SERVICE_LOAD_BALANCER) !== 0) return 'LoadBalancer';
  if ((flags & SERVICE_EXTERNAL_IP) !== 0) return 'ExternalIPs';
  return (flags & SERVICE_HOST_PORT) === 0 ? 'ClusterIP' : 'HostPort';
}

export function backendRow(entry: BackendEntry): BackendRow {
  return { id: entry.id, address: pointText(entry), state: entry.stateName };
}

/** `10.0.0.1:80/TCP`, `[fd00::1]:80/TCP` */
export function pointText({
  address,
  port,
  protocol,
}: {
  address: AddressWords;
  port: number;
  protocol: number;
}): string {
  return `${bracketed(address)}:${port}/${protocolName(protocol)}`;
}

function bracketed(address: AddressWords): string {
  const text = formatIp(...address);
  return text.includes(':') ? `[${text}]` : text;
}
