/** `sluice completion SHELL`, and the hidden `sluice __complete` that the scripts call. */
import { Argument, type Command } from 'commander';
import { candidates } from '../terminal/completion-words.ts';
import { DaemonApi } from '../../api/daemon-api.ts';
import type { Host } from '../terminal/host.ts';
import { KIND_WORDS } from '../objects/kinds.ts';
import { example } from '../terminal/help.ts';
import { settingsOf } from '../terminal/settings.ts';

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
compdef _sluice sluice
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
    const api = new DaemonApi({ ...settingsOf(command, host), timeoutMs: LIVE_TIMEOUT_MS });
    const found = await candidates(program, typed.length === 0 ? [''] : typed, (argument) => liveWords(api, argument));
    host.stdout.write(found.map(({ word, description }) => `${word}\t${description}\n`).join(''));
  });
}

async function liveWords(api: DaemonApi, argument: string): Promise<readonly string[]> {
  if (argument === 'kind') return KIND_WORDS;
  try {
    if (argument === 'pod') {
      return (await api.endpoints()).map(({ namespace, pod }) => `${namespace}/${pod}`);
    }
    if (argument === 'endpoint') return (await api.endpoints()).map(({ id }) => String(id));
    if (argument === 'identity') return (await api.identities()).map(({ id }) => String(id));
  } catch {
    // no daemon, no words: completion says nothing rather than an error on the prompt
  }
  return [];
}
