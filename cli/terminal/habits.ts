/** Spellings of kubectl's that commander does not know, turned into those that it does. */

/** Flags that may stand before the command, as in `kubectl -n shop get pods`; each has a value. */
const EARLY = ['-n', '--namespace'];
/** What follows these may be another program's. */
const FOREIGN = ['exec', 'kubectl', '__complete'];

/**
 * Puts `-n NS` before the command behind it, and takes the `=` out of `-o=json`. Words after `--` are another program's, and
 * so are those after the pod of `exec`.
 */
export function asWritten(argv: readonly string[]): readonly string[] {
  const words = withoutHubble(withoutEarly(argv));
  const dashes = words.indexOf('--');
  if (FOREIGN.includes(words[0])) return words;
  const end = dashes < 0 ? words.length : dashes;
  return words.map((word, at) => (at < end ? word.replace(/^(-[A-Za-z])=(?=.)/s, '$1') : word));
}

/** `hubble observe` and `hubble status` are commands of ours. */
function withoutHubble(argv: readonly string[]): readonly string[] {
  const [first, second] = argv;
  return first === 'hubble' && (second === 'observe' || second === 'status') ? argv.slice(1) : argv;
}

function withoutEarly(argv: readonly string[]): readonly string[] {
  const [flag, value, command, ...rest] = argv;
  if (flag === undefined || value === undefined) return argv;
  if (EARLY.includes(flag) && command !== undefined) return [command, flag, value, ...rest];
  return EARLY.some((one) => flag.startsWith(`${one}=`)) ? [value, flag, ...argv.slice(2)] : argv;
}
