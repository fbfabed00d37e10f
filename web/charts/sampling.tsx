/** Asks the agent for its metrics every two seconds while the charts are seen. What came is kept as long as the page. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { agent, AgentError } from '../shell/agent.ts';
import { withPods } from './figures.ts';
import { History, type Point } from './history.ts';
import { parseMetrics } from './prometheus-text.ts';

const EVERY_MS = 2000;
/** How old what is known of pods may be: it is longer than all metrics. */
const PODS_MS = 30_000;

const history = new History();

export const points = signal<readonly Point[]>([]);
/** Why there is nothing new; '' when there is. */
export const failure = signal('');

let isAsking = false;
/** `namespace/pod` by its interface. */
let pods: ReadonlyMap<string, string> = new Map();
let podsMs = Number.NEGATIVE_INFINITY;

async function askPods(): Promise<void> {
  if (performance.now() - podsMs < PODS_MS) return;
  const endpoints = await agent.get('/v1/endpoints');
  pods = new Map(endpoints.map(({ interface: name, namespace, pod }) => [name, `${namespace}/${pod}`]));
  podsMs = performance.now();
}

async function sample(): Promise<void> {
  if (isAsking || document.hidden) return;
  isAsking = true;
  try {
    const [own, flows] = await Promise.all([agent.metrics('/metrics'), agent.metrics('/metrics/flows'), askPods()]);
    history.add(withPods(new Map([...parseMetrics(own), ...parseMetrics(flows)]), pods), Date.now());
    failure.value = '';
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    history.miss(Date.now());
    failure.value = error.message;
  } finally {
    isAsking = false;
    points.value = history.points;
  }
}

export function useSampling(): void {
  useEffect(() => {
    void sample();
    const timer = window.setInterval(() => void sample(), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
}
