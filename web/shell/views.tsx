/** What each view is called and where its component is: a view's code is loaded when it is first shown. */
import type { ComponentType } from 'preact';
import type { ViewName } from './view-names.ts';

interface View {
  readonly title: string;
  readonly load: () => Promise<ComponentType>;
}

export const VIEWS: Readonly<Record<ViewName, View>> = {
  map: { title: 'Map', load: () => import('../map/view.tsx').then(({ MapView }) => MapView) },
  flows: { title: 'Flows', load: () => import('../flows/view.tsx').then(({ FlowsView }) => FlowsView) },
  policies: { title: 'Policies', load: () => import('../policies/view.tsx').then(({ PoliciesView }) => PoliciesView) },
  editor: { title: 'Editor', load: () => import('../editor/view.tsx').then(({ EditorView }) => EditorView) },
  charts: { title: 'Charts', load: () => import('../charts/view.tsx').then(({ ChartsView }) => ChartsView) },
  why: { title: 'Why', load: () => import('../why/view.tsx').then(({ WhyView }) => WhyView) },
};
