# bash completion for ikectl(8): commands, options, and the names that the running ikevd knows.

_ikectl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words command='' name='' socket=() i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s) socket=(-s "${COMP_WORDS[++i]}") ;;
		--child) ((i++)) ;;
		-*) ;;
		*) if [ -z "$command" ]; then command=${COMP_WORDS[i]}; else name=${COMP_WORDS[i]}; fi ;;
		esac
	done
	case $prev:$cur:$command:$name in
	-s:*)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--child:*) words=$(ikectl "${socket[@]}" status "$name" 2>/dev/null |
		sed -n 's/^    child \([^ ]*\) .*/\1/p') ;;
	*:-*:rekey:*) words='-h -j -s -V --child --ike' ;;
	*:-*) words='-h -j -s -V' ;;
	*::: | *:*::) words='up down rekey status list version' ;;
	*:*:up: | *:*:down: | *:*:rekey: | *:*:status:)
		words=$(ikectl "${socket[@]}" list 2>/dev/null) ;;
	*) words='' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _ikectl ikectl
