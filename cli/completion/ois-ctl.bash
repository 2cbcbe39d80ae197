# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for ois-ctl(1). All words come from the program itself, which is silent and quick when the
# daemon is away.
# shellcheck shell=bash disable=SC2207

_ois_ctl_words()
{
	"${COMP_WORDS[0]}" "${socket[@]}" completion "$@" 2>/dev/null | cut -f1
}

_ois_ctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local i option='' verb=() socket=() IFS=$'\n'

	COMPREPLY=()
	# "=" is a word of its own: --option = value.
	if [[ $cur == = ]]; then
		option=$prev cur=''
	elif [[ $prev == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	elif [[ $prev == --?* ]]; then
		option=$prev
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket)
			if [[ ${COMP_WORDS[i + 1]} == = ]]; then
				socket=(--socket="${COMP_WORDS[i + 2]}")
				((i += 2))
			else
				socket=(--socket="${COMP_WORDS[i + 1]}")
				((i++))
			fi
			;;
		-*)
			[[ ${COMP_WORDS[i + 1]} == = ]] && ((i += 2))
			;;
		=) ;;
		*)
			verb+=("${COMP_WORDS[i]}")
			;;
		esac
	done

	case $option in
	--json)
		COMPREPLY=($(compgen -W $'short\npretty\noff' -- "$cur"))
		return
		;;
	--startup)
		COMPREPLY=($(compgen -W $'manual\nautomatic' -- "$cur"))
		return
		;;
	--record)
		COMPREPLY=($(compgen -W $'none\nadd\nupdate\nreplace' -- "$cur"))
		return
		;;
	--interface)
		COMPREPLY=($(compgen -W "$(_ois_ctl_words arguments iface show; cd /sys/class/net && printf 'tcp.%s\n' *)" -- "$cur"))
		return
		;;
	--secret-format)
		COMPREPLY=($(compgen -W $'text\nhex\nbase64' -- "$cur"))
		return
		;;
	--reset)
		COMPREPLY=($(compgen -W "$(_ois_ctl_words arguments "${verb[@]:0:2}" | grep '=' | tr -d '=')" -- "$cur"))
		return
		;;
	--number)
		COMPREPLY=($(compgen -W "$(_ois_ctl_words arguments events)" -- "$cur"))
		return
		;;
	--target)
		COMPREPLY=($(compgen -W "$(_ois_ctl_words arguments login)" -- "$cur"))
		return
		;;
	--socket | --secret-file | --target-secret-file)
		COMPREPLY=($(compgen -f -- "$cur"))
		compopt -o filenames
		return
		;;
	--portal | --source | --timeout | --since | --lines | --lun | --interval | --count | --page | --deadline | --size | --index)
		return
		;;
	esac

	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$(_ois_ctl_words options "${verb[@]}")" -- "$cur"))
		[[ ${COMPREPLY[0]} == *= && ${#COMPREPLY[@]} -eq 1 ]] && compopt -o nospace
		return
	fi
	# The words that go on with those typed so far: "node" has "show", "host chap" has "list".
	local typed='' word next
	for word in "${verb[@]}"; do
		typed+="$word "
	done
	next=$(_ois_ctl_words verbs | while read -r word; do
		[[ $word == "$typed"* ]] && word=${word#"$typed"} && echo "${word%% *}"
	done | uniq)
	if [[ $next ]]; then
		COMPREPLY=($(compgen -W "$next" -- "$cur"))
	else
		# A colon starts a new word for readline, so only what follows the last one is replaced.
		local whole=$cur words
		for ((i = COMP_CWORD - 1; i > 0; i--)); do
			[[ $whole == :* || ${COMP_WORDS[i]} == *: ]] || break
			whole=${COMP_WORDS[i]}$whole
		done
		words=$(_ois_ctl_words arguments "${verb[@]}")
		COMPREPLY=($(compgen -W "$words" -- "$whole"))
		[[ $whole == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${whole%:*}":}")
		[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
	fi
} &&
	complete -F _ois_ctl ois-ctl
