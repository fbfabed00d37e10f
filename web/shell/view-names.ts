/** The views by name, in the order of the header; the first is shown when an address names none. The digit of its place is its key. */
export const VIEW_NAMES = ['map', 'flows', 'policies', 'editor', 'charts', 'why'] as const;

export type ViewName = (typeof VIEW_NAMES)[number];
