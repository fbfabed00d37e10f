/** `$(NAME)` in commands and environments, as Kubernetes has it: `$$` is one dollar, and what is not known stays as it stands. Pure. */

/** What an expansion may grow to. */
const MOST_CHARACTERS = 1 << 20;

/** @throws RangeError when the text becomes longer than 1 MiB */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let result = '';
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0 || dollar === text.length - 1) return bounded(result + text.slice(at));
    result += text.slice(at, dollar);
    const next = text[dollar + 1];
    const end = next === '(' ? text.indexOf(')', dollar) : -1;
    if (next === '$') {
      result += '$';
      at = dollar + 2;
    } else if (end >= 0) {
      result += lookup(text.slice(dollar + 2, end)) ?? text.slice(dollar, end + 1);
      at = end + 1;
    } else {
      result += '$';
      at = dollar + 1;
    }
    bounded(result);
  }
  return result;
}

function bounded(text: string): string {
  if (text.length > MOST_CHARACTERS) throw new RangeError('expand $(...): longer than 1 MiB');
  return text;
}
