/**
 * Names and texts come from the network and from manifests. What would hide, reorder or break them is shown as its code
 * point: control characters, line ends, and the marks that turn the direction of writing or have no width.
 */
const HIDDEN =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

/** @returns `text` with what cannot be seen as `⟨202e⟩` */
export function visible(text: string): string {
  return text.replace(HIDDEN, (character) => `⟨${character.codePointAt(0)!.toString(16).padStart(4, '0')}⟩`);
}

/** The same for a text whose line ends are meant. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** @returns the numbers, from 1, of the lines of a text with what cannot be seen, tabs and line ends aside; where a text is edited it stays as it is */
export function linesThatHide(text: string): number[] {
  return text.split('\n').flatMap((line, index) => {
    const plain = line.replace(/[\t\r]/g, ' ');
    return visible(plain) === plain ? [] : [index + 1];
  });
}
