// What no other check says: no catch-all folders, no unfinished words, no source past 400 lines, no test file past 500
// without a reason.

const MAX_SOURCE_LINES = 400;
const MAX_TEST_LINES = 500;

/** Test files that are longer, and why they are not two. */
const longTests = {};

export function size({ files, text, sources }) {
  const problems = [];
  for (const path of files) {
    if (/(^|\/)(utils?|common|helpers?|types)\//.test(path))
      problems.push(`${path}: name the folder after what is in it`);
    if (!/\.(tsx?|c|h|mjs|css)$/.test(path) && !/^scripts\/[a-z-]+$/.test(path)) continue;
    text(path)
      .split('\n')
      .forEach((line, index) => {
        // Spelt so that this line is not found.
        if (/\b(TO{1}DO|FIX{1}ME|X{3})\b(?!\()/.test(line))
          problems.push(`${path}:${index + 1}: unfinished: ${line.trim()}`);
      });
  }
  for (const { path, text, isTest, isGenerated } of sources) {
    const lines = text.split('\n').length - 1;
    const isTestFile = path.endsWith('.test.ts');
    if (!isTest && !isGenerated && lines > MAX_SOURCE_LINES)
      problems.push(`${path}: ${lines} lines, at most ${MAX_SOURCE_LINES}`);
    if (isTestFile && lines > MAX_TEST_LINES && !(path in longTests))
      problems.push(`${path}: ${lines} lines, at most ${MAX_TEST_LINES} without a reason`);
    if (path in longTests && lines <= MAX_TEST_LINES) problems.push(`${path}: ${lines} lines need no reason`);
  }
  return problems;
}

/** The ten longest functions, to be seen on every run. */
export function longestFunctions({ sources }) {
  const functions = sources.filter(({ isTest }) => !isTest).flatMap((source) => source.functions);
  functions.sort((a, b) => b.length - a.length);
  return functions
    .slice(0, 10)
    .map(({ path, name, line, length }) => `${String(length).padStart(4)}  ${name}  ${path}:${line}`);
}
