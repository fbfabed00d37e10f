/** A fault that was seen once and mended, as an edit of the source that puts it back, and the tests that must notice. */
export interface Mutant {
  /** Kebab-case; `scripts/test --mutants NAME` runs those whose name begins so. */
  readonly name: string;
  /** What goes wrong for somebody when the fault is there. */
  readonly fault: string;
  /** The source, from the root of the repository: TypeScript, or C of the addon. */
  readonly file: string;
  /** Text that occurs in it exactly once. */
  readonly was: string;
  /** What stands there instead. */
  readonly is: string;
  /** Test files, each of which must fail. */
  readonly killedBy: readonly string[];
}
