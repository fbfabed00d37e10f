/**
 * Who can reach whom on which port.
 *
 * Rows are sources, columns destinations with a port; both ends are judged. A cell is `allow`, `l7` (allowed as far as the
 * request is), `deny`, or `mixed` where the pods of a group differ. Which ends and ports there are: matrix-ends.ts, matrix-ports.ts.
 */
import { protocolName } from '../../wire/protocols.ts';
import { endFrom } from '../end.ts';
import { readQuery } from '../query.ts';
import { FlowJudge, UnknownEndError } from '../verdict.ts';
import type { PolicyWorld } from '../world.ts';
import { endsOf, type MatrixEnd, podCount, readGroupBy } from './matrix-ends.ts';
import { containerPorts, distinctPorts, type Port, readPort, rulePorts } from './matrix-ports.ts';

export type Cell = 'allow' | 'l7' | 'deny' | 'mixed';

export interface MatrixOptions {
  /** `80`, `80/TCP`, `53/UDP`; container ports when empty. */
  readonly port?: readonly string[] | undefined;
  readonly namespace?: string | undefined;
  /** Entities to add at both ends. */
  readonly entity?: readonly string[] | undefined;
  /** Only these rows: pods, workloads, labels, entities, addresses. */
  readonly from?: readonly string[] | undefined;
  /** Only these columns. */
  readonly to?: readonly string[] | undefined;
  readonly by?: string | undefined;
}

export interface Target {
  readonly end: MatrixEnd;
  readonly port: Port;
}

export interface Matrix {
  readonly sources: readonly MatrixEnd[];
  readonly targets: readonly Target[];
  readonly cells: readonly (readonly Cell[])[];
  /** What a reader must know besides. */
  readonly notes: readonly string[];
}

/** @throws SyntaxError for options that mean nothing, UnknownEndError for ends that are not there */
export function matrixOf(world: PolicyWorld, options: MatrixOptions): Matrix {
  const judge = new FlowJudge(world);
  const { namespace, entity = ['world'], from, to } = options;
  const given = (options.port ?? []).map(readPort);
  const rows = { words: from, entities: entity, namespace };
  // Without ports of its own to show, an entity is a column only when asked for.
  const columns = { words: to, entities: given.length > 0 ? entity : [], namespace };
  const pods = Math.max(podCount(world, rows), podCount(world, columns));
  const by = readGroupBy(options.by, pods);
  const notes: string[] = [];
  if (options.by === undefined && by !== 'pod') {
    notes.push(`${pods} pods shown by workload: \`--by pod\` shows each, \`--from\` and \`--to\` choose some`);
  }
  const sources = endsOf(world, { ...rows, by });
  const targets = targetsOf(world, { ends: endsOf(world, { ...columns, by }), given, sources, notes });
  const cells = sources.map((source) => targets.map((target) => judgeCell(judge, source, target)));
  return { sources, targets, cells, notes };
}

interface Columns {
  readonly ends: readonly MatrixEnd[];
  readonly given: readonly Port[];
  readonly sources: readonly MatrixEnd[];
  readonly notes: string[];
}

function targetsOf(world: PolicyWorld, { ends, given, sources, notes }: Columns): Target[] {
  const own = containerPorts(world);
  const undeclared: string[] = [];
  const targets = ends.flatMap((end) => {
    const declared = distinctPorts(end.classes.flat().flatMap((reference) => own.get(reference) ?? []));
    let ports = given.length > 0 ? given : declared;
    if (ports.length === 0) {
      const found = rulePorts(world, end, sources);
      ports = found.ports;
      if (end.isPod)
        undeclared.push(found.more > 0 ? `${end.name} (${found.more} more of its ports are named)` : end.name);
    }
    return ports.map((port) => ({ end, port }));
  });
  if (undeclared.length > 0) {
    const shown = undeclared.slice(0, MAX_NAMED).join(', ');
    const rest = undeclared.length > MAX_NAMED ? ` and ${undeclared.length - MAX_NAMED} more` : '';
    notes.push(
      `no container port is declared by ${shown}${rest}: shown are the ports that rules name, and the others; \`--port\` chooses`,
    );
  }
  return targets;
}

/** Names that a note has. */
const MAX_NAMED = 5;

/** A pod of each identity of the source to one of each of the target; to itself only where there is no other. */
function judgeCell(judge: FlowJudge, source: MatrixEnd, { end, port }: Target): Cell {
  const pairs = source.classes.flatMap(([from]) => end.classes.map((same) => [from, same[same.length - 1]] as const));
  const others = pairs.filter(([from, to]) => from !== to);
  const cells = new Set((others.length > 0 ? others : pairs).map(([from, to]) => judgeFlow(judge, from, to, port)));
  const [first] = cells;
  return cells.size === 1 ? first : 'mixed';
}

function judgeFlow(judge: FlowJudge, source: string, target: string, { port, protocol }: Port): Cell {
  const query = readQuery({ from: endFrom(source), to: endFrom(target), port, protocol: protocolName(protocol) });
  const { verdict, egress, ingress, error } = judge.answer(query);
  if (verdict === 'error') throw new UnknownEndError(`${source} to ${target}: ${error ?? 'no answer'}`);
  if (verdict !== 'allowed') return 'deny';
  return egress?.verdict === 'redirected' || ingress?.verdict === 'redirected' ? 'l7' : 'allow';
}

export interface MatrixRow {
  readonly from: string;
  readonly to: string;
  readonly port: number | string;
  readonly protocol: string;
  readonly verdict: Cell;
}

/** A row of the document for each cell. */
export function matrixRows({ sources, targets, cells }: Matrix): MatrixRow[] {
  return sources.flatMap((source, row) =>
    targets.map(({ end, port }, column) => {
      const [number, protocol] = port.text.split('/');
      const shown = /^\d+$/.test(number) ? Number(number) : number;
      return { from: source.name, to: end.name, port: shown, protocol, verdict: cells[row][column] };
    }),
  );
}
