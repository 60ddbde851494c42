/**
 * Shell scripts that ask `relight __complete WORD…` for what can be typed next: one candidate a line, followed by a tab and
 * what it is about; `:files` stands for the names of files.
 */

const BASH = `# Completion of relight for bash: source <(relight completion bash)
_relight() {
  local text
  COMPREPLY=()
  while IFS=$'\\t' read -r text _; do
    if [ "$text" = ":files" ]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r text; do COMPREPLY+=("$text"); done < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
    else
      COMPREPLY+=("$(printf %q "$text")")
    fi
  done < <("$1" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _relight relight`;

const ZSH = `#compdef relight
# Completion of relight for zsh: source <(relight completion zsh)
_relight() {
  local line tab=$'\\t'
  local -a found
  for line in "\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == ":files" ]]; then
      _files
    elif [[ -n $line ]]; then
      found+=("\${\${line%%$tab*}//:/\\\\:}:\${line#*$tab}")
    fi
  done
  (( $#found )) && _describe relight found
}
if [[ $funcstack[1] == _relight ]]; then
  _relight "$@"
else
  compdef _relight relight
fi`;

const FISH = `# Completion of relight for fish: relight completion fish | source
function __relight_complete
  set -l words (commandline -opc)
  set -l typed (commandline -ct)
  for line in ($words[1] __complete $words[2..] "$typed" 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path "$typed"
    else
      echo $line
    end
  end
end
complete -c relight -f -a "(__relight_complete)"`;

export const SHELLS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
export type Shell = keyof typeof SHELLS;
