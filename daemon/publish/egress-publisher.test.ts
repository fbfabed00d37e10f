/** Rows of egress gateway policies in the pinned map: which addresses count when, and what happens when there is no room. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { EgressRow } from '../../policy/egress-table.ts';
import { TranslationSettings } from '../../policy-maps/service/translation-settings.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { addressWords, formatIp } from '../../wire/address.ts';
import { parsePrefix, prefixOf } from '../../wire/prefix.ts';
import { smallMaps } from '../../test/tables/small-maps.ts';
import { EgressPublisher } from './egress-publisher.ts';
import { PinnedMaps } from './pinned-maps.ts';

type Tap = typeof t;

function world(t: Tap, capacity = 1024) {
  const directory = mkdtempSync('/tmp/sldae-');
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const mapper = memoryMapper();
  const capacities = smallMaps({ 'egress-gateway-policy-map-max': capacity });
  const open = () => new PinnedMaps({ directory: join(directory, 'maps'), capacities, isInUse: false, mapper });
  return { maps: open(), open };
}

const row = (source: string, destination: string, address: string, kind: EgressRow['kind'] = 'address'): EgressRow => ({
  source: parsePrefix(source, 'host'),
  destination: parsePrefix(destination),
  kind,
  address,
});

const listed = (maps: PinnedMaps): string[] =>
  [...maps.egress.entries()]
    .map(
      ({ source, destination, prefixLength, kind, address }) =>
        `${formatIp(...source)} ${prefixOf(destination, prefixLength).text} ${kind} ${formatIp(...address)}`,
    )
    .sort();

const A = '192.0.2.1';
const B = '192.0.2.2';

t.test('an address counts once answers to it are taken', (t) => {
  const { maps } = world(t as Tap);
  const publisher = new EgressPublisher(maps);
  const mayConcern = (address: string) => maps.addressFilter.mayConcern(...addressWords(address));
  publisher.publish({
    put: [
      row('10.0.0.1', '0.0.0.0/0', A),
      row('10.0.0.2', '0.0.0.0/0', B),
      row('10.0.0.2', '10.0.0.0/8', '', 'excluded'),
    ],
    remove: [],
  });
  const rest = '10.0.0.2 10.0.0.0/8 2 ::';
  t.same(listed(maps), ['10.0.0.1 0.0.0.0/0 3 ::', '10.0.0.2 0.0.0.0/0 3 ::', rest]);
  t.same(publisher.addresses, [A, B]);
  t.ok(mayConcern(A) && mayConcern(B));
  t.notOk(publisher.setAnswered(undefined));
  t.ok(publisher.setAnswered(new Set([A])));
  t.same(listed(maps), [`10.0.0.1 0.0.0.0/0 3 ${A}`, '10.0.0.2 0.0.0.0/0 3 ::', rest]);
  t.notOk(publisher.setAnswered(new Set([A])));
  t.ok(publisher.setAnswered(new Set([A, B])));
  publisher.publish({ put: [row('10.0.0.1', '0.0.0.0/0', B)], remove: [row('10.0.0.2', '0.0.0.0/0', B)] });
  t.same(listed(maps), [`10.0.0.1 0.0.0.0/0 3 ${B}`, rest]);
  t.same(publisher.addresses, [B]);
  t.notOk(mayConcern(A));
  publisher.publish({ put: [], remove: [row('10.0.0.1', '0.0.0.0/0', B), row('10.0.0.2', '10.0.0.0/8', '')] });
  t.same(listed(maps), []);
  t.notOk(mayConcern(B));
  t.end();
});

t.test('what an earlier agent published counts at once, and goes when it is not wanted', (t) => {
  const { maps, open } = world(t as Tap);
  const first = new EgressPublisher(maps);
  first.setAnswered(new Set([A, B]));
  first.publish({ put: [row('10.0.0.1', '0.0.0.0/0', A), row('10.0.0.2', '0.0.0.0/0', B)], remove: [] });
  maps.close();
  const after = open();
  const next = new EgressPublisher(after);
  next.publish({ put: [row('10.0.0.1', '0.0.0.0/0', A)], remove: [] });
  next.setAnswered(undefined);
  t.same(listed(after), [`10.0.0.1 0.0.0.0/0 3 ${A}`, `10.0.0.2 0.0.0.0/0 3 ${B}`]);
  next.retire();
  t.same(listed(after), [`10.0.0.1 0.0.0.0/0 3 ${A}`]);
  t.end();
});

t.test('without room the pods that no row speaks of are held back, until there is room', (t) => {
  const { maps } = world(t as Tap, 16);
  const publisher = new EgressPublisher(maps);
  const settings = new TranslationSettings(maps.config);
  const rows = Array.from({ length: 12 }, (_, i) => row(`10.0.0.${i + 1}`, '0.0.0.0/0', ''));
  publisher.publish({ put: rows, remove: [] });
  t.ok(settings.isEgressIncomplete);
  t.match(publisher.problem, /pods that no row speaks of do not leave/);
  t.equal(listed(maps).length, 8, 'a row and one for its source each');
  publisher.publish({ put: [], remove: rows.slice(0, 4) });
  t.equal(listed(maps).length, 8);
  t.notOk(settings.isEgressIncomplete);
  t.equal(publisher.problem, '');
  t.end();
});
