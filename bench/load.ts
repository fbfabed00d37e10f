/** What a load is, and the generators that several loads run, in the client's namespace. */
import { inNetns, must } from '../test/command.ts';
import { CLIENT } from './subject.ts';

/** One figure. */
export interface Reading {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
}

/** A load and what counts as one unit of work when its CPU time is shared out. */
export interface Load {
  readonly name: string;
  /** `none`: CPU time says nothing about it. */
  readonly perUnit: 'frame' | 'request' | 'none';
  run(address: string, seconds: number): Promise<Reading[]>;
}

/** What wrk saw. */
interface WrkResult {
  readonly requestsPerSec: number;
  readonly p99Us: number;
}

const US: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000 };

export async function wrk(url: string, seconds: number, connections: number, ...more: string[]): Promise<WrkResult> {
  const argv = ['wrk', '-t1', `-c${connections}`, `-d${seconds}`, '--latency', ...more, url];
  const text = await must(inNetns(CLIENT, argv), { timeoutMs: (seconds + 30) * 1000 });
  const bad = /Non-2xx or 3xx responses: \d+|Socket errors: (?!connect 0, read 0, write 0, timeout 0).*/.exec(text);
  if (bad) console.error(`bench: wrk ${url}: ${bad[0]}`);
  const [, p99 = Number.NaN, unit = ''] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  return {
    requestsPerSec: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? Number.NaN),
    p99Us: Number(p99) * (US[unit] ?? Number.NaN),
  };
}

/** Requests in a second, 10 connections of 32 streams. */
export async function h2load(url: string, seconds: number, ...more: string[]): Promise<number> {
  const argv = ['h2load', '-t1', '-c10', '-m32', '-D', String(seconds), ...more, url];
  const text = await must(inNetns(CLIENT, argv), { timeoutMs: (seconds + 30) * 1000 });
  const bad = /, [1-9]\d* failed|, [1-9]\d* errored|status codes: .*[1-9]\d* [345]xx.*/.exec(text);
  if (bad) console.error(`bench: h2load ${url}: ${bad[0]}`);
  return Number(/finished in [^,]+, ([\d.]+) req\/s/.exec(text)?.[1] ?? Number.NaN);
}
