/** Spellings of kubectl's that commander does not know, turned into those that it does. */

/** Flags that may stand before the command, as in `kubectl -n shop get pods`; each has a value. */
const EARLY = ['-n', '--namespace'];

/**
 * Puts `-n NS` before the command behind it, and takes the `=` out of `-o=json`. Words after `--` are another program's, and
 * so are those after the pod of `exec`.
 */
export function asWritten(argv: readonly string[]): readonly string[] {
  const words = withoutEarly(argv);
  const dashes = words.indexOf('--');
  // What follows the pod of exec may be the program's.
  if (words[0] === 'exec' || words[0] === '__complete') return words;
  const end = dashes < 0 ? words.length : dashes;
  return words.map((word, at) => (at < end ? word.replace(/^(-[A-Za-z])=(?=.)/s, '$1') : word));
}

function withoutEarly(argv: readonly string[]): readonly string[] {
  const [flag, value, command, ...rest] = argv;
  if (flag === undefined || value === undefined) return argv;
  if (EARLY.includes(flag) && command !== undefined) return [command, flag, value, ...rest];
  return EARLY.some((one) => flag.startsWith(`${one}=`)) ? [value, flag, ...argv.slice(2)] : argv;
}
