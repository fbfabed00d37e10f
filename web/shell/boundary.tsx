/** A view that fails takes neither the header nor the other views with it. */
import { Component, type ComponentChildren } from 'preact';
import { Empty } from '../controls/empty.tsx';

interface Props {
  readonly children: ComponentChildren;
}

export class Boundary extends Component<Props, { readonly failure?: string }> {
  override state: { readonly failure?: string } = {};

  static override getDerivedStateFromError(error: unknown) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }

  override componentDidCatch(error: unknown) {
    console.error(error);
  }

  override render() {
    if (this.state.failure === undefined) return this.props.children;
    return (
      <Empty title="This view has failed" text={this.state.failure}>
        <button type="button" onClick={() => this.setState({ failure: undefined as never })}>
          Show it again
        </button>
      </Empty>
    );
  }
}
