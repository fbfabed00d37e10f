import t from 'tap';
import { linesThatHide, visible, visibleLines } from './visible.ts';

t.test('visible() shows what would hide, reorder or break a name', (t) => {
  const cases: Record<string, [string, string]> = {
    'an escape sequence': ['a\u001b[31mb', 'a⟨001b⟩[31mb'],
    'a line end': ['a\r\nb', 'a⟨000d⟩⟨000a⟩b'],
    'a turn of direction': ['gnp.\u202eexe', 'gnp.⟨202e⟩exe'],
    'an isolate': ['\u2066a\u2069', '⟨2066⟩a⟨2069⟩'],
    'no width': ['pay\u200bpal', 'pay⟨200b⟩pal'],
    'half a character': ['\ud800', '⟨d800⟩'],
    'a tag': ['a\u{e0041}', 'a⟨e0041⟩'],
  };
  for (const [name, [text, wanted]] of Object.entries(cases)) t.equal(visible(text), wanted, name);
  t.end();
});

t.test('visible() leaves letters of every script and markup as they are', (t) => {
  for (const text of ['shop/web-0', '<img src=x onerror=alert(1)>', 'бульвар', 'שלום', '東京', '😀', 'é'])
    t.equal(visible(text), text);
  t.end();
});

t.test('visibleLines() keeps line ends alone', (t) => {
  t.equal(visibleLines('a\u001b\n\r\u2028b\n'), 'a⟨001b⟩\n⟨000d⟩⟨2028⟩b\n');
  t.end();
});

t.test('linesThatHide() names lines whose letters are not what they seem', (t) => {
  t.same(linesThatHide('a\tb\r\nx: \u202eevil\nc\n\u200b'), [2, 4]);
  t.same(linesThatHide('בית: שלום\n\ttab\r\n'), []);
  t.end();
});
