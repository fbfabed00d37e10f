/** What the agent and the thread of the Kubernetes API say to each other, besides what every thread says. */

/** How the API is; told when it has changed. */
export interface KubeApiStatus {
  /** `https://127.0.0.1:6443`; '' while it is not served. */
  readonly address: string;
  /** One sentence each. */
  readonly problems: readonly string[];
  readonly objects: number;
}

export interface FromKubeApi {
  readonly kubeApi: KubeApiStatus;
}
