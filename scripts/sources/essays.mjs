// Names rot in prose: a file that an essay, a README or a page of docs names must exist, and so must what they put in
// `backticks` when it looks like a name of code. Essays are the comments before a source's first statement.
import { wordsOf } from './sources.mjs';

/** A file as prose names it: `map-state.ts`, `../l7proxy/README.md`. */
const FILE = /(?<![\w./*<>-])(?:\.{0,2}\/)*((?:[\w.-]+\/)*[\w-][\w.-]*\.(?:ts|mjs|c|h|md))(?![\w/*-]|\.\w)/g;
const TICKED = /`([^`\n]+)`/g;
/** What looks like a name of code and of nothing else: has a capital or an underscore inside, or a call's parentheses. */
const NAME = /^(?:[a-z]\w*[A-Z_]\w*|[A-Z][A-Z\d]*_\w+|[A-Z][a-z]+[A-Z]\w*|[a-z]\w*(?=\())(?:\(\))?$/;

/** What is not ours to have: trees and names of Linux, Cilium and Node, and `x.ts` for any file. */
const OUTSIDE_FILE = /^(bpf|linux)\/.*\.h$|^x\./;
const outsideNames = new Set([
  'UDP_MAX_SEGMENTS',
  'nf_conntrack_tcp_loose',
  'cilium_metrics',
  'cilium_policystats',
  'cachedData',
]);

export function essays(repository) {
  const { files, text, sources } = repository;
  const words = new Set(sources.flatMap((source) => [...source.words]));
  for (const path of files.filter((file) => /\.(c|h|mjs|json|yaml)$|^scripts\/[\w-]+$/.test(file)))
    for (const word of wordsOf(text(path))) words.add(word);
  const pages = files
    .filter((path) => path.endsWith('.md') && path !== 'CHANGELOG.md')
    .map((path) => [path, text(path)]);
  const tops = sources.map((source) => [source.path, essayOf(source)]);
  return [...pages, ...tops].flatMap(([path, prose]) => faultsOf(path, prose, files, words));
}

/** The comments before the first statement of a source that is no import. */
function essayOf({ tree, text }) {
  const first = tree.statements.find((statement) => !statement.moduleSpecifier);
  const leading = text.slice(0, first ? first.getStart(tree) : text.length);
  return leading.replace(/^import [\s\S]*?;$/gm, '');
}

function faultsOf(path, prose, files, words) {
  const faults = [];
  for (const [, name] of prose.matchAll(FILE)) {
    if (OUTSIDE_FILE.test(name)) continue;
    if (!files.some((file) => file === name || file.endsWith(`/${name}`)))
      faults.push(`${path}: names ${name}, which does not exist`);
  }
  for (const [, name] of prose.matchAll(TICKED)) {
    if (NAME.test(name) && !wordsOf(name).every((word) => words.has(word) || outsideNames.has(word)))
      faults.push(`${path}: names \`${name}\`, which no source has`);
  }
  return [...new Set(faults)];
}
