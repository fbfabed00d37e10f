/** A replay as a document: what `sluice policy replay -o json` prints, and the page shows. */
import { protocolName } from '../../wire/protocols.ts';
import type { End } from '../query.ts';
import type { Connection, Recording } from './recording.ts';
import type { Outcome, Replay, Replayed } from './replay.ts';
import type { Request } from './sighting.ts';

export interface ReplayedDocument extends Request {
  readonly before: Outcome;
  readonly after: Outcome;
  readonly isAudited: boolean;
  /** `Kind/namespace/name` of the policies that decide it from then on. */
  readonly policies: readonly string[];
  readonly flows: number;
  readonly from: End;
  readonly to: End;
  readonly protocol: string;
  /** Or the type of an ICMP message. */
  readonly port: number;
}

export interface ReplayDocument {
  /** That were recorded, and of these that were judged, in how many connections. */
  readonly flows: number;
  readonly judged: number;
  readonly connections: number;
  /** Flows by `allowed -> denied` and so on. */
  readonly counts: Readonly<Record<string, number>>;
  /** Flows by the reason why they are not judged. */
  readonly unjudged: Readonly<Record<string, number>>;
  /** The worst first. */
  readonly changed: readonly ReplayedDocument[];
}

export function replayDocument(recording: Recording, result: Replay): ReplayDocument {
  return {
    flows: recording.flows,
    judged: result.flows,
    connections: result.connections,
    counts: Object.fromEntries([...result.counts].map(([key, count]) => [key.replace(' ', ' -> '), count])),
    unjudged: unjudgedOf(recording, result),
    changed: worstFirst(result).map(({ connection, ...one }) => ({ ...one, ...connectionDocument(connection) })),
  };
}

/** Flows by the reason why they are not judged. */
export function unjudgedOf(recording: Recording, { unjudged }: Replay): Readonly<Record<string, number>> {
  return { ...Object.fromEntries(recording.silent), ...Object.fromEntries(unjudged) };
}

/** What would be denied, then by the number of flows. */
export function worstFirst({ changed }: Replay): Replayed[] {
  return [...changed].sort(byWeight);
}

function byWeight(a: Replayed, b: Replayed): number {
  return a.after === b.after ? b.connection.flows - a.connection.flows : a.after === 'denied' ? -1 : 1;
}

export type ConnectionDocument = Pick<ReplayedDocument, 'flows' | 'from' | 'to' | 'protocol' | 'port'> & Request;

export function connectionDocument(connection: Connection): ConnectionDocument {
  const { from, to, protocol, port, request, flows } = connection;
  return { flows, from: from.end, to: to.end, protocol: protocolName(protocol), port, ...request };
}
