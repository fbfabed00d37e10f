// Every npm package that package.json names is imported by a source or named by a script, a build file or tsconfig.json.
import { isBuiltin } from 'node:module';

export function packages({ files, text, sources }) {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(text('package.json'));
  const imported = new Set();
  for (const source of sources) {
    for (const { specifier, target } of source.imports) {
      if (target === undefined && !isBuiltin(specifier)) imported.add(packageOf(specifier));
    }
  }
  const tools = files.filter((path) => /\.mjs$/.test(path) || /^(tsconfig\.json|scripts\/[\w-]+)$/.test(path));
  const words = new Set(tools.flatMap((path) => text(path).match(/[@\w][\w./-]*/g) ?? []).map(toolOf));
  const problems = [];
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    // A scoped package's command, or what it has the types of, is its second half.
    const half = name.replace(/^@[^/]+\//, '');
    if (![name, half].some((word) => words.has(word)) && !imported.has(name.startsWith('@types/') ? half : name))
      problems.push(`package.json: ${name}, which no source imports and no script names`);
  }
  for (const name of imported) {
    if (!(name in dependencies) && !(name in devDependencies))
      problems.push(`package.json: does not name ${name}, which is imported`);
  }
  return problems;
}

const packageOf = (specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
/** `node_modules/.bin/NAME` and `NAME/...` stand for NAME. */
const toolOf = (word) => packageOf(word.replace(/^node_modules\/(\.bin\/)?/, ''));
