/** What GetFlows, GetAgentEvents and GetDebugEvents have in common: which part of a ring is asked for. */
import { Code, ConnectError } from '@connectrpc/connect';
import type { Timestamp } from '@bufbuild/protobuf/wkt';

export interface StreamRequest {
  /** How many at most; Infinity for all. With `follow` how many of those that are there already. */
  readonly number: number;
  /** Count from the oldest. */
  readonly isFirst: boolean;
  readonly isFollowing: boolean;
  /** Milliseconds since the epoch, both ends included; -Infinity and Infinity when they are not given. */
  readonly sinceMs: number;
  readonly untilMs: number;
}

interface Message {
  readonly number: bigint;
  readonly first: boolean;
  readonly follow: boolean;
  readonly since?: Timestamp | undefined;
  readonly until?: Timestamp | undefined;
}

/** @throws ConnectError (invalid argument) for a request that contradicts itself, or a time that is none */
export function streamRequestOf({ number, first, follow, since, until }: Message): StreamRequest {
  if (first && follow) throw new ConnectError('first cannot be specified with follow', Code.InvalidArgument);
  return {
    number: number === 0n ? Number.POSITIVE_INFINITY : Number(number),
    isFirst: first,
    isFollowing: follow,
    sinceMs: momentOf('since', since) ?? Number.NEGATIVE_INFINITY,
    untilMs: momentOf('until', until) ?? Number.POSITIVE_INFINITY,
  };
}

/** Seconds that Timestamp may hold: years 1 to 9999. */
const MIN_SECONDS = -62_135_596_800n;
const MAX_SECONDS = 253_402_300_799n;

function momentOf(name: string, time: Timestamp | undefined): number | undefined {
  if (time === undefined) return undefined;
  const { seconds, nanos } = time;
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS || nanos < 0 || nanos > 999_999_999) {
    throw new ConnectError(`${name}: found ${seconds} s and ${nanos} ns, wanted a time`, Code.InvalidArgument);
  }
  return Number(seconds) * 1000 + nanos / 1e6;
}
