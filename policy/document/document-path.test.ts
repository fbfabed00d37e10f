/** Paths into documents. */
import t from 'tap';
import { joinPath, lastName, parentPath } from './document-path.ts';

t.test('document paths', (t) => {
  t.equal(joinPath('spec.a[0]', 'b'), 'spec.a[0].b');
  t.equal(joinPath('m', 'a/b'), 'm["a/b"]');
  t.same(['spec.a[0].b', 'spec.a[0]', 'spec', 'm["a/b"]', ''].map(parentPath), ['spec.a[0]', 'spec.a', '', 'm', '']);
  t.same(['spec.a[0]', 'spec', ''].map(lastName), ['a[0]', 'spec', 'document']);
  t.end();
});
