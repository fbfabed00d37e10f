/** What there is to say of an option of the configuration. */

/** One option. `check` answers what is wanted when the value is of the right type and still wrong. */
export interface Option {
  /** `commands`: names of the user's own, each with a list of words. */
  readonly type: 'string' | 'integer' | 'boolean' | 'list' | 'map' | 'commands';
  readonly meaning: string;
  readonly fallback?: string | number | boolean | readonly string[] | Readonly<Record<string, readonly string[]>>;
  readonly values?: readonly string[];
  readonly min?: number;
  /** Of a list: how many. */
  readonly max?: number;
  readonly check?: (value: string) => string | undefined;
  readonly options?: Readonly<Record<string, Option>>;
}
