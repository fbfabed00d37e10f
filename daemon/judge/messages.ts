/** What the page's thread and the judge's process say to each other. */

export interface JudgeRequest {
  readonly id: number;
  readonly question: string;
  /** JSON, as the browser sent it. */
  readonly body: Uint8Array;
}

export interface JudgeReply {
  readonly id: number;
  readonly status: number;
  /** JSON. */
  readonly text: string;
}
