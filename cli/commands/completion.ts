/** `sluice completion SHELL`, and the hidden `sluice __complete` that the scripts call. */
import { Argument, type Command } from 'commander';
import { type Asked, candidates } from '../terminal/completion-words.ts';
import { DaemonApi } from '../../api/daemon-api.ts';
import type { Host } from '../terminal/host.ts';
import { KIND_WORDS, kindsOf } from '../objects/kinds.ts';
import { example } from '../terminal/help.ts';
import { type Settings, settingsOf } from '../terminal/settings.ts';

/** A shell that waits for a Tab should not wait for a hung daemon. */
const LIVE_TIMEOUT_MS = 400;

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# sluice completion for bash: source <(sluice completion bash)
_sluice() {
  local IFS=$'\\n' line words
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  while read -r line; do COMPREPLY+=("\${line%%$'\\t'*}"); done < <(sluice __complete -- "\${words[@]}" 2>/dev/null)
}
complete -o bashdefault -o default -F _sluice sluice
`,
  zsh: `#compdef sluice
# sluice completion for zsh: sluice completion zsh > "\${fpath[1]}/_sluice"
_sluice() {
  local line; local -a found
  while IFS= read -r line; do found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}"); done \\
    < <(sluice __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe 'sluice' found; else _files; fi
}
# As a file of fpath this is the body of the function at its first call; sourced, it only registers it.
if [ "\${funcstack[1]}" = "_sluice" ]; then _sluice "\$@"; else compdef _sluice sluice; fi
`,
  fish: `# sluice completion for fish: sluice completion fish | source
function __sluice_complete
    set -l words (commandline -opc) (commandline -ct)
    sluice __complete -- $words[2..-1] 2>/dev/null
end
complete -c sluice -a '(__sluice_complete)'
`,
};

export function define(command: Command, host: Host): void {
  command.addArgument(new Argument('<shell>', 'for which shell').choices(Object.keys(SCRIPTS)));
  example(command, 'source <(sluice completion bash)', 'sluice completion fish | source');
  command.action((shell: string) => {
    host.stdout.write(SCRIPTS[shell]);
  });
}

/** Makes the program; commands among the words have their flags. */
type Build = (words: readonly string[]) => Promise<Command>;

/** @param build makes the program that is being typed */
export function defineComplete(command: Command, host: Host, build: Build): void {
  command.argument('[words...]', 'the words typed so far').passThroughOptions();
  command.action(async (words: string[]) => {
    const typed = words[0] === '--' ? words.slice(1) : words;
    const program = await build(typed);
    const settings = settingsOf(command, host);
    const api = new DaemonApi({ ...settings, timeoutMs: LIVE_TIMEOUT_MS });
    const live = (asked: Asked): Promise<readonly string[]> => liveWords(api, settings, asked);
    const found = await candidates(program, typed.length === 0 ? [''] : typed, live);
    host.stdout.write(found.map(({ word, description }) => `${word}\t${description}\n`).join(''));
  });
}

async function liveWords(api: DaemonApi, settings: Settings, asked: Asked): Promise<readonly string[]> {
  if (asked.name === 'kind') return KIND_WORDS;
  try {
    // No daemon, no words: completion says nothing rather than an error on the prompt.
    return await wordsFor(api, settings, asked);
  } catch {
    return [];
  }
}

async function wordsFor(
  api: DaemonApi,
  settings: Settings,
  { name, operands, namespace }: Asked,
): Promise<readonly string[]> {
  const ofPods = ({ namespace: place, pod }: { namespace: string; pod: string }): string => `${place}/${pod}`;
  switch (name.replace(/^(?:from|to)-/, '')) {
    case 'pod':
    case 'from':
    case 'to':
      return (await api.endpoints()).map(ofPods);
    case 'endpoint':
      return (await api.endpoints()).map(({ id }) => String(id));
    case 'identity':
      return (await api.identities()).map(({ id }) => String(id));
    case 'cookie':
      return (await api.cookies()).map(({ id }) => String(id));
    case 'frontend':
      return (await import('../maps/service-rows.ts')).serviceRows(settings).map(({ id }) => String(id));
    case 'namespace':
      return namesOf(api, 'namespaces', undefined);
    case 'names':
      return namesOf(api, operands[0], namespace ?? 'default');
    case 'rig':
      return (await import('../rig/rig-state.ts')).listRigs(settings.runDir).map((rig) => rig.name);
    default:
      return [];
  }
}

async function namesOf(api: DaemonApi, word: string, namespace: string | undefined): Promise<readonly string[]> {
  const { rowsOf } = await import('../objects/object-rows.ts');
  const [kind] = kindsOf(word);
  return (await rowsOf(api, kind, { namespace, appliedOnly: false })).map(({ object }) => object.metadata?.name ?? '');
}
