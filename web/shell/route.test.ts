import fc from 'fast-check';
import t from 'tap';
import { formatRoute, parseRoute } from './route.ts';

const VIEWS = ['map', 'flows'];

t.test('a route comes back from its hash, whatever its parameters hold', (t) => {
  const params = fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string({ minLength: 1 })), { maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...VIEWS), params, (view, pairs) => {
      const route = { view, params: new Map(pairs) };
      t.same(parseRoute(formatRoute(route), VIEWS), route);
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('an unknown view, an empty hash and a broken escape lead to the first view', (t) => {
  for (const hash of ['', '#', '#/', '#/nowhere?q=a', '#/%E0%A4%A', '#/__proto__'])
    t.equal(parseRoute(hash, VIEWS).view, 'map', hash);
  t.equal(parseRoute('#/nowhere?q=a', VIEWS).params.get('q'), 'a');
  t.end();
});

t.test('a hostile hash is bounded', (t) => {
  t.ok(parseRoute(`#/map?${'a=b&'.repeat(100_000)}`, VIEWS).params.size <= 64);
  const many = Array.from({ length: 1000 }, (_, index) => `k${index}=1`).join('&');
  t.equal(parseRoute(`#/map?${many}`, VIEWS).params.size, 64);
  t.end();
});

t.test('empty parameters are left out', (t) => {
  t.equal(
    formatRoute({
      view: 'map',
      params: new Map([
        ['q', ''],
        ['focus', 'a b'],
      ]),
    }),
    '#/map?focus=a+b',
  );
  t.end();
});
