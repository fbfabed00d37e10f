import t from 'tap';
import { Camera } from './camera.ts';
import { edgePath } from './edge-path.ts';
import { labelSpot } from './label-spot.ts';
import { CARD_HEIGHT, CARD_WIDTH, Layout } from './layout.ts';
import type { MapEdge, MapPlace } from './map-model.ts';
import { cardAt, stepFrom } from './steps.ts';

const place = (number: number, namespace: string, fields: Partial<MapPlace> = {}): MapPlace => ({
  number,
  key: `${namespace}/${number}`,
  kind: 'workload',
  namespace,
  name: String(number),
  labels: [],
  ...fields,
});
const edge = (number: number, from: MapPlace, to: MapPlace) => ({ number, from, to }) as MapEdge;
const spotsOf = (layout: Layout, places: readonly MapPlace[]) => places.map(({ key }) => layout.spotOf(key)!);

t.test('no two cards cover each other, however they came', (t) => {
  const layout = new Layout();
  const places = Array.from({ length: 500 }, (_, index) => place(index, `team-${index % 25}`));
  layout.arrange(places.slice(0, 300), []);
  layout.follow(places);
  const spots = spotsOf(layout, places);
  t.notOk(spots.includes(undefined as never));
  let covered = 0;
  spots.forEach((a, index) => {
    for (const b of spots.slice(index + 1))
      if (Math.abs(a.x - b.x) < CARD_WIDTH && Math.abs(a.y - b.y) < CARD_HEIGHT) covered++;
  });
  t.equal(covered, 0);
  t.end();
});

t.test('a card that has its spot keeps it while others come and go', (t) => {
  const layout = new Layout();
  const old = Array.from({ length: 40 }, (_, index) => place(index, `team-${index % 4}`));
  layout.arrange(old, []);
  const before = spotsOf(layout, old);
  const fresh = Array.from({ length: 60 }, (_, index) => place(100 + index, `team-${index % 6}`));
  layout.follow([...old, ...fresh]);
  t.same(spotsOf(layout, old), before);
  layout.follow([...old.slice(5), ...fresh]);
  t.same(spotsOf(layout, old.slice(5)), before.slice(5));
  t.equal(layout.spotOf(old[0].key), undefined);
  const version = layout.version;
  layout.follow([...old.slice(5), ...fresh]);
  t.equal(layout.version, version, 'nothing has moved');
  layout.follow([...old, ...fresh]);
  t.equal(layout.standing.spots.size, 100, 'who comes back takes a free spot');
  t.equal(layout.standing.homes.size, 100);
  t.end();
});

t.test('a namespace whose workloads come one after the other stays one box', (t) => {
  const layout = new Layout();
  const all = Array.from({ length: 30 }, (_, index) => place(index, 'shop'));
  layout.arrange(all.slice(0, 1), []);
  for (let count = 2; count <= all.length; count++) {
    const before = spotsOf(layout, all.slice(0, count - 1));
    layout.follow(all.slice(0, count));
    t.same(spotsOf(layout, all.slice(0, count - 1)), before, 'nobody moves');
  }
  t.equal(layout.blocks.length, 1);
  t.equal(new Set(spotsOf(layout, all).map(({ x, y }) => `${x} ${y}`)).size, all.length);
  const { x, y, width, height } = layout.blocks[0];
  for (const spot of spotsOf(layout, all))
    t.ok(spot.x >= x && spot.y >= y && spot.x + CARD_WIDTH <= x + width && spot.y + CARD_HEIGHT <= y + height);
  layout.follow(all.slice(20));
  layout.follow(all);
  t.equal(layout.blocks.length, 1, 'who comes back finds a spot in it');
  t.end();
});

t.test('a box that is walled in goes on in another, which says so', (t) => {
  const layout = new Layout();
  const namespaces = Array.from({ length: 12 }, (_, index) => place(index, `team-${index}`));
  layout.arrange(namespaces, []);
  const late = Array.from({ length: 20 }, (_, index) => place(100 + index, 'team-0'));
  layout.follow([...namespaces, ...late]);
  t.same(
    layout.blocks.filter(({ group }) => group === 'namespace team-0').map(({ title }) => title),
    ['team-0', 'team-0, continued'],
  );
  t.end();
});

t.test('a label covers neither titles nor cards nor other labels, as long as there is room', (t) => {
  const path = edgePath({ x: 0, y: 100 }, { x: 600, y: 100 }, new Float64Array(8));
  const free = labelSpot(path, 80, []);
  const beside = labelSpot(path, 80, [free]);
  t.ok(beside.y + beside.height <= free.y, 'above the line');
  const third = labelSpot(path, 80, [free, beside]);
  t.ok(third.x + third.width <= free.x || third.x >= free.x + free.width || third.y >= free.y + free.height);
  t.same(labelSpot(path, 80, [{ x: -1e4, y: -1e4, width: 2e4, height: 2e4 }]), free);
  t.end();
});

t.test('traffic goes from left to right, also when it goes in a circle', (t) => {
  const [a, b, c, d] = [place(0, 'n'), place(1, 'n'), place(2, 'n'), place(3, 'm')];
  const layout = new Layout();
  layout.arrange([d, c, b, a], [edge(0, a, b), edge(1, b, c), edge(2, a, d), edge(3, c, c)]);
  const [atA, atB, atC] = spotsOf(layout, [a, b, c]);
  t.ok(atA.x < atB.x && atB.x < atC.x);
  layout.arrange([a, b, c], [edge(0, a, b), edge(1, b, c), edge(2, c, a)]);
  t.equal(new Set(spotsOf(layout, [a, b, c]).map(({ x, y }) => `${x} ${y}`)).size, 3);
  t.end();
});

t.test('a chain of two thousand places is arranged', (t) => {
  const places = Array.from({ length: 2000 }, (_, index) => place(index, 'n'));
  const layout = new Layout();
  layout.arrange(
    places,
    places.slice(1).map((to, index) => edge(index, places[index], to)),
  );
  t.equal(layout.standing.spots.size, 2000);
  t.end();
});

t.test('what is outside and what belongs to the cluster stand apart from namespaces', (t) => {
  const layout = new Layout();
  const outside = place(1, '', { key: 'o', kind: 'name', name: 'example.com' });
  const host = place(2, '', { key: 'h', kind: 'entity', name: 'host' });
  const world = place(3, '', { key: 'w', kind: 'entity', name: 'world' });
  layout.arrange([outside, host, world, place(4, 'outside')], []);
  t.same(layout.blocks.map(({ title }) => title).sort(), ['Node and cluster', 'Outside', 'outside']);
  t.end();
});

t.test('arrow keys reach every card, and a click finds the one below it', (t) => {
  const places = Array.from({ length: 30 }, (_, index) => place(index, `team-${index % 3}`));
  const layout = new Layout();
  layout.arrange(places, []);
  const reached = new Set<MapPlace>();
  const queue = [stepFrom(undefined, 'ArrowRight', places, layout)!];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (reached.has(next)) continue;
    reached.add(next);
    for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
      const step = stepFrom(next, key, places, layout);
      if (step !== undefined) queue.push(step);
    }
  }
  t.equal(reached.size, 30);
  for (const one of places) {
    const { x, y } = layout.spotOf(one.key)!;
    t.equal(cardAt({ x: x + 5, y: y + 5 }, places, layout), one);
  }
  t.equal(cardAt({ x: -50, y: -50 }, places, layout), undefined);
  t.end();
});

t.test('the camera keeps what is below the pointer, fits a box, and reveals a card', (t) => {
  const camera = new Camera();
  Object.assign(camera, { width: 1000, height: 600 });
  const point = camera.toMap(300, 200);
  camera.zoom(0.3, 300, 200);
  t.match(camera.toMap(300, 200), point);
  for (let times = 0; times < 100; times++) camera.zoom(10);
  t.ok(camera.scale <= 3);
  for (let times = 0; times < 100; times++) camera.zoom(0.1);
  t.ok(camera.scale > 0.01);
  const box = { x: 100, y: 50, width: 8000, height: 900 };
  camera.fit(box);
  t.ok(camera.sees(box.x, box.y, 1, 1) && camera.sees(box.x + box.width - 1, box.y + box.height - 1, 1, 1));
  const card = { x: 7900, y: 900, width: CARD_WIDTH, height: CARD_HEIGHT };
  camera.reveal(card);
  t.ok(camera.scale >= 0.5 && camera.sees(card.x, card.y, card.width, card.height));
  t.end();
});
