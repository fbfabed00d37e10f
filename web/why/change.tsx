/** The smallest change that would allow what is denied: tried by the judge, shown as a difference, handed to the editor. */
import type { Patch } from '../../explain/explanation.ts';
import { copy } from '../controls/copy.tsx';
import { Difference } from '../controls/difference.tsx';
import { visible, visibleLines } from '../controls/visible.ts';
import { go } from '../shell/location.tsx';
import { notify } from '../shell/notices.tsx';

interface Props {
  readonly remedies: readonly string[];
  readonly patches: readonly Patch[];
}

export function Change({ remedies, patches }: Props) {
  return (
    <section class="why-change">
      <h2>To allow it</h2>
      <ul>
        {remedies.map((text, index) => (
          <li key={index}>
            <Remedy text={text.trim()} isShort={patches.length > 0} />
          </li>
        ))}
      </ul>
      {patches.map(({ name, diff }) => (
        <Difference key={name} name={name} diff={diff} />
      ))}
      {patches.length > 0 && (
        <div class="actions">
          <button type="button" class="primary" onClick={() => void edit(patches)}>
            Open in the editor
          </button>
          <button type="button" onClick={() => void copy(patches.map(({ diff }) => diff).join(''), 'The patch')}>
            Copy the patch
          </button>
        </div>
      )}
    </section>
  );
}

/** A sentence, and below it what it is about: the difference shows that too. */
function Remedy({ text, isShort }: { readonly text: string; readonly isShort: boolean }) {
  const end = text.indexOf('\n');
  if (end < 0) return <>{visible(text)}</>;
  return (
    <>
      {visible(text.slice(0, end)).replace(/:$/, isShort ? '' : ':')}
      {!isShort && <pre>{visibleLines(text.slice(end + 1))}</pre>}
    </>
  );
}

/** The policies as they would be, in the editor's hands; nothing is applied by it. */
async function edit(patches: readonly Patch[]): Promise<void> {
  const [{ documentsText }, { isChanged, openInEditor }] = await Promise.all([
    import('../editor/model/changes.ts'),
    import('../editor/store.tsx'),
  ]);
  if (
    isChanged.value &&
    !window.confirm('The policy that is open in the editor has changes. Open the other in its place?')
  )
    return;
  const [{ name }] = patches;
  openInEditor(documentsText(patches.map(({ after }) => after)), { policy: name, title: name });
  go('editor', { policy: name });
  notify('The change is in the editor: look at it, and apply it');
}
