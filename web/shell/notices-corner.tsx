/** The corner of the page where notices stand, and the region that only screen readers hear. */
import { visible } from '../controls/visible.ts';
import { announcement, dismiss, notices } from './notices.tsx';

export function NoticesCorner() {
  return (
    <div class="notices">
      <div class="heard" role="status" aria-live="polite">
        {announcement.value}
      </div>
      {notices.value.map(({ id, text, isFailure }) => (
        <div key={id} class={isFailure ? 'notice failure' : 'notice'} role={isFailure ? 'alert' : 'status'}>
          <span>{visible(text)}</span>
          <button type="button" class="quiet" aria-label="Close this notice" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
