/** The flow whose details are shown. The address has its uuid, so that a link opens it again as long as the agent has it. */
import { effect, type ReadonlySignal, signal } from '@preact/signals';
import type { Flow } from '../../hubble/flow.ts';
import { route, setParam } from '../shell/location.tsx';
import { flowByUuid } from '../stream/flow-by-uuid.ts';

interface Opened {
  readonly uuid: string;
  readonly flow: Flow | undefined;
  /** Why it is not there; '' while it is looked for. */
  readonly problem: string;
}

const shown = signal<Opened | undefined>(undefined);

export const opened: ReadonlySignal<Opened | undefined> = shown;

effect(() => {
  const uuid = route.value.view === 'flows' ? (route.value.params.get('flow') ?? '') : '';
  const now = shown.peek();
  if (uuid === '') shown.value = undefined;
  else if (now?.uuid !== uuid) void find(uuid);
});

async function find(uuid: string): Promise<void> {
  shown.value = { uuid, flow: undefined, problem: '' };
  let found: Pick<Opened, 'flow' | 'problem'>;
  try {
    const flow = await flowByUuid(uuid);
    found = { flow, problem: flow === undefined ? 'The agent does not keep this flow any more.' : '' };
  } catch (error) {
    found = { flow: undefined, problem: (error as Error).message };
  }
  if (shown.peek()?.uuid === uuid) shown.value = { uuid, ...found };
}

export function open(flow: Flow): void {
  const { uuid = '' } = flow;
  shown.value = { uuid, flow, problem: '' };
  setParam('flow', uuid);
}

export function close(): void {
  shown.value = undefined;
  setParam('flow', '');
}
