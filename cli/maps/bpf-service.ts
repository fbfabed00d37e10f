/** `sluice service` and `sluice bpf lb`, `bpf nat`: tables of services and of translated connections, as cilium-dbg lists them. */
import type { NatEntry } from '../../policy-maps/service/nat-map.ts';
import { ReverseNatMap } from '../../policy-maps/service/reverse-nat-map.ts';
import { prefixOf } from '../../wire/prefix.ts';
import { protocolName } from '../../wire/protocols.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { printDocument, printListing } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import type { Column } from '../terminal/table.ts';
import { openPinned } from './pinned-maps.ts';
import { backendRow, pointText, type ServiceRow, serviceRows } from './service-rows.ts';

const COLUMNS: readonly Column<ServiceRow>[] = [
  { header: 'ID', cell: (one) => one.id },
  { header: 'Frontend', cell: (one) => one.frontend },
  { header: 'Service Type', cell: (one) => one.type },
  {
    header: 'Backend',
    cell: ({ backends }) => backends.map(({ address, state }, i) => `${i + 1} => ${address} (${state})`).join('\n'),
  },
];

/** `sluice service list`: frontends but for wildcards. */
export async function listServices(settings: Settings): Promise<void> {
  await printListing(settings, { columns: COLUMNS, rows: serviceRows(settings).filter(({ id }) => id !== 0) });
}

/**
 * `sluice service get ID`.
 * @throws Failure when there is none
 */
export async function showService(settings: Settings, text: string): Promise<void> {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Failure(`found '${text}', wanted the ID of a frontend`, EXIT.USAGE);
  const row = serviceRows(settings).find(({ id }) => id === Number(text));
  if (row === undefined) throw new Failure(`find service ${text}: there is none: see \`sluice service list\``);
  await printListing(settings, { columns: COLUMNS, rows: [row], document: row });
}

export interface BalancerFlags {
  readonly frontends?: boolean | undefined;
  readonly backends?: boolean | undefined;
  readonly revnat?: boolean | undefined;
  readonly sourceRanges?: boolean | undefined;
}

/** `sluice bpf lb list`. @throws Failure (usage) for two flags at once */
export async function listBalancer(settings: Settings, flags: BalancerFlags): Promise<void> {
  const chosen = Object.keys(flags).filter((name) => flags[name as keyof BalancerFlags] === true);
  if (chosen.length > 1)
    throw new Failure('bpf lb list: wanted one of --frontends, --backends, --revnat, --source-ranges', EXIT.USAGE);
  if (flags.backends === true) return listBackends(settings);
  if (flags.revnat === true) return listReverseNat(settings);
  if (flags.sourceRanges === true) return listSourceRanges(settings);
  return listSlots(settings, flags.frontends === true);
}

interface SlotLine {
  readonly service: string;
  readonly backend: string;
}

/** Slot 0 is the frontend itself, the others are its backends. */
async function listSlots(settings: Settings, frontendsOnly: boolean): Promise<void> {
  const services = serviceRows(settings);
  const rows = services.flatMap(({ id, frontend, flags, backends }): SlotLine[] => {
    const master = { service: `${frontend} (0)`, backend: `0.0.0.0:0 (${id}) (0) [${flags.join(', ')}]` };
    if (frontendsOnly) return [master];
    return [
      master,
      ...backends.map(({ address }, i) => ({
        service: `${frontend} (${i + 1})`,
        backend: `${address} (${id}) (${i + 1})`,
      })),
    ];
  });
  await printListing(settings, {
    rows,
    document: services,
    columns: [
      { header: 'SERVICE ADDRESS', cell: (one) => one.service },
      { header: 'BACKEND ADDRESS (REVNAT_ID) (SLOT)', cell: (one) => one.backend },
    ],
  });
}

async function listBackends(settings: Settings): Promise<void> {
  await printListing(settings, {
    rows: [...openPinned(settings, 'backends').entries()].map(backendRow),
    columns: [
      { header: 'ID', cell: (one) => one.id },
      { header: 'BACKEND ADDRESS', cell: (one) => one.address },
      { header: 'STATE', cell: (one) => one.state },
    ],
  });
}

async function listReverseNat(settings: Settings): Promise<void> {
  const rows = [...openPinned(settings, 'reverseNat').entries()];
  await printListing(settings, {
    rows: rows.map((one) => ({ id: one.frontend, address: pointText(one) })),
    columns: [
      { header: 'ID', cell: (one) => one.id },
      { header: 'SERVICE ADDRESS', cell: (one) => one.address },
    ],
  });
}

async function listSourceRanges(settings: Settings): Promise<void> {
  const rows = [...openPinned(settings, 'sourceRanges').entries()];
  await printListing(settings, {
    rows: rows.map(({ frontend, address, prefixLength }) => ({
      id: frontend,
      range: prefixOf(address, prefixLength).text,
    })),
    columns: [
      { header: 'ID', cell: (one) => one.id },
      { header: 'SOURCE RANGE', cell: (one) => one.range },
    ],
  });
}

/** `sluice bpf nat list`: a line for each translated connection, as it comes in and where it goes. */
export async function listNat(settings: Settings): Promise<void> {
  const rows = [...openPinned(settings, 'nat').entries()].map(natRow);
  if (settings.output !== 'table') return printDocument(settings, rows);
  settings.host.stdout.write(rows.map((row) => `${natLine(row)}\n`).join(''));
}

type NatRow = ReturnType<typeof natRow>;

function natRow({ protocol, kind, backend, frontendHandle, ...one }: NatEntry) {
  const point = (address: NatEntry['to'], port: number) =>
    pointText({ address, port, protocol }).replace(/\/[^/]*$/, '');
  return {
    protocol: protocolName(protocol),
    source: point(one.source, one.sourcePort),
    destination: point(one.destination, one.destinationPort),
    kind,
    to: point(one.to, one.toPort),
    frontend: ReverseNatMap.frontendOf(frontendHandle),
    backend,
  };
}

function natLine({ protocol, source, destination, kind, to, frontend, backend }: NatRow): string {
  const why = kind === 'service' ? ` RevNAT=${frontend} BackendID=${backend}` : '';
  return `${protocol} ${source} -> ${destination} XLATE_DST ${to} Kind=${kind}${why}`;
}
