/** Addresses and ports of services that clients outside the pods' world use: what of them comes in at the host is the dataplane's. */
import type { ServiceChange } from '../../services/service-book.ts';
import { PROTO_SCTP, PROTO_TCP } from '../../wire/protocols.ts';
import type { ServicePlace } from '../attach/return-table.ts';

/** Kept up to date by changes: one that is about clients inside only costs nothing. */
export class OuterPlaces {
  readonly #byService = new Map<string, readonly ServicePlace[]>();
  #all: readonly ServicePlace[] | undefined = [];

  note(changes: readonly ServiceChange[]): void {
    for (const change of changes) {
      const places = placesOf(change);
      if (JSON.stringify(places) === JSON.stringify(this.#byService.get(change.key) ?? [])) continue;
      if (places.length === 0) this.#byService.delete(change.key);
      else this.#byService.set(change.key, places);
      this.#all = undefined;
    }
  }

  get all(): readonly ServicePlace[] {
    this.#all ??= [...this.#byService.values()].flat();
    return this.#all;
  }
}

function placesOf({ after }: ServiceChange): ServicePlace[] {
  return (after?.frontends ?? [])
    .filter(({ kind, scope }) => kind !== 'ClusterIP' && scope === 'external')
    .map(({ address, port, protocol, kind }) => ({
      address,
      port,
      protocol: nameOf(protocol),
      isAnnounceable: kind === 'ExternalIPs' || (kind === 'LoadBalancer' && after?.spec.loadBalancer.isOurs === true),
    }));
}

function nameOf(protocol: number): ServicePlace['protocol'] {
  if (protocol === PROTO_TCP) return 'tcp';
  return protocol === PROTO_SCTP ? 'sctp' : 'udp';
}
