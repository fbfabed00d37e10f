/** What the agent and the thread of the page say to each other, besides what every thread says. */

/** How the page is; told when it has changed. */
export interface PageStatus {
  /** `https://...`; '' while it is not served. */
  readonly address: string;
  /** One sentence each. */
  readonly problems: readonly string[];
  /** Judges that were late or died, since the thread's start. */
  readonly judgeDeaths: number;
}

export interface FromPage {
  readonly page: PageStatus;
}
