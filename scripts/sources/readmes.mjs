// Compares each code folder with its README.md: the skeleton; what other folders import must be named there, or its file;
// and a name that its headings or the first cells of its tables put in `backticks` must exist.
import { basename } from 'node:path';
import { codeFolderOf, codeFolders } from './imports.mjs';
import { wordsOf } from './sources.mjs';

/** Sections that every README has, in this order; others may stand between. */
const SECTIONS = ['Exports', 'Counters and events', 'Limits'];

export function readmes(repository) {
  const { files, text } = repository;
  const used = importedFromOutside(repository);
  const problems = [];
  for (const folder of codeFolders) {
    if (!files.some((path) => codeFolderOf(path) === folder)) continue;
    const path = `${folder}/README.md`;
    if (!files.includes(path)) {
      problems.push(`${path}: missing`);
      continue;
    }
    const readme = text(path);
    const say = (what) => problems.push(`${path}: ${what}`);
    skeletonFaults(readme, folder).forEach(say);
    for (const [name, target] of used.get(folder)) {
      const isNamed = (word) => new RegExp(`(?<![\\w$])${word.replace(/[$.]/g, '\\$&')}(?![\\w$])`).test(readme);
      if (!isNamed(name) && !isNamed(basename(target)))
        say(`does not name ${name} (nor ${basename(target)}), which other folders import`);
    }
    const words = wordsIn(repository, folder);
    for (const name of documentedNames(readme))
      if (!words.has(name)) say(`names \`${name}\`, which ${folder}/ does not have`);
  }
  return problems;
}

function skeletonFaults(readme, folder) {
  const prose = readme.replace(/^```[\s\S]*?^```/gm, '');
  const faults = [];
  const [title] = prose.split('\n', 1);
  if (!title.startsWith(`# ${folder}/: `)) faults.push(`its title is '# ${folder}/: what it is', found '${title}'`);
  const headings = [...prose.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
  const found = headings.filter((heading) => SECTIONS.includes(heading));
  if (found.join() !== SECTIONS.join())
    faults.push(`its sections are ${SECTIONS.join(', ')} in this order, found ${headings.join(', ') || 'none'}`);
  return faults;
}

/** Folder -> names that code in another folder imports from it (a namespace import counts the file, not its names). */
function importedFromOutside({ sources, byPath }) {
  const used = new Map(codeFolders.map((folder) => [folder, new Map()]));
  for (const { path, imports, isTest } of sources) {
    if (isTest) continue;
    for (const { target, names, isNamespace } of imports) {
      const folder = target && codeFolderOf(target);
      if (!folder || folder === codeFolderOf(path) || isNamespace) continue;
      const exported = byPath.get(target)?.exports.map(({ name }) => name) ?? [];
      for (const name of names ?? []) if (exported.includes(name)) used.get(folder).set(name, target);
    }
  }
  return used;
}

/** Names in backticks in the headings and the first table cells of a README. */
function documentedNames(readme) {
  const names = new Set();
  for (const line of readme.replace(/^```[\s\S]*?^```/gm, '').split('\n')) {
    const part = /^#+ /.test(line) ? line : /^\| /.test(line) ? line.split('|')[1] : '';
    for (const [, name] of part.matchAll(/`([A-Za-z_$][\w$]*)(?:\(|<|`)/g)) names.add(name);
  }
  return names;
}

/** Every identifier that a folder's sources contain, so that methods, fields and constants count as existing. */
function wordsIn({ files, text, sources }, folder) {
  const isIn = (path) => path.startsWith(`${folder}/`);
  const words = new Set(sources.filter(({ path }) => isIn(path)).flatMap((source) => [...source.words]));
  for (const path of files.filter((file) => isIn(file) && /\.(c|h|json)$/.test(file)))
    for (const word of wordsOf(text(path))) words.add(word);
  return words;
}
