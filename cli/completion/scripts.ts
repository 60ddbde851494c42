/**
 * Shell scripts that ask `relight __complete WORD…` for what can be typed next: one candidate a line, followed by a tab and
 * what it is about; `:files` stands for the names of files. Words are passed without the quotes that people type.
 */

const BASH = `# Completion of relight for bash: source <(relight completion bash)
_relight() {
  local line="\${COMP_LINE:0:COMP_POINT}" current="$2" text char quote="" word="" isWord="" i
  local -a words=()
  # bash also breaks words at colons and quotes, so the line is read as the shell would: words without their quotes.
  for ((i = 0; i < \${#line}; i++)); do
    char="\${line:i:1}"
    if [[ $quote == "'" && $char != "'" ]] || [[ $quote == '"' && $char != ['"\\'] ]]; then
      word+="$char"
    elif [[ $char == '\\' ]]; then
      ((i++))
      [[ $quote == '"' && \${line:i:1} != ['"\\$\`'] ]] && word+='\\'
      word+="\${line:i:1}" isWord=1
    elif [[ -n $quote ]]; then
      quote=""
    elif [[ $char == ["\\"'"] ]]; then
      quote="$char" isWord=1
    elif [[ $char == [[:space:]] ]]; then
      [[ -n $isWord ]] && words+=("$word")
      word="" isWord=""
    else
      word+="$char" isWord=1
    fi
  done
  # The part of the word that bash does not replace.
  local kept=""
  if [[ -z $quote && $word == *:* && $current != *:* ]]; then kept="\${word%:*}:"; fi
  COMPREPLY=()
  while IFS=$'\\t' read -r text _; do
    if [[ $text == ":files" ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r text; do COMPREPLY+=("\${text#"$kept"}"); done < <(compgen -f -- "$word")
    else
      text="\${text#"$kept"}"
      case "$quote" in
        "'") COMPREPLY+=("\${text//\\'/\\'\\\\\\'\\'}") ;;
        '"') COMPREPLY+=("$(sed 's/[\\\\"$\`]/\\\\&/g' <<<"$text")") ;;
        *) COMPREPLY+=("$(printf %q "$text")") ;;
      esac
    fi
  done < <("$1" __complete "\${words[@]:1}" "$word" 2>/dev/null)
}
complete -F _relight relight`;

const ZSH = `#compdef relight
# Completion of relight for zsh: source <(relight completion zsh)
_relight() {
  local line tab=$'\\t'
  local -a found
  # Words without their quotes.
  for line in "\${(@f)$("\${words[1]}" __complete "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}"; do
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
  # Without its quotes; fish compares the candidates itself.
  set -l typed (commandline -ct | string replace -r '^["\\']' '' | string replace -ra '\\\\\\\\(.)' '$1')
  for line in ($words[1] __complete $words[2..] "$typed" 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c relight -f -a "(__relight_complete)"`;

export const SHELLS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
export type Shell = keyof typeof SHELLS;
