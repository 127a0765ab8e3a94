# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# bash completion for pashmctl(1); to be installed as
# /usr/share/bash-completion/completions/pashmctl
#
# Commands and options are asked from pashmctl itself.

_pashmctl_commands() {
	pashmctl help 2>/dev/null | sed -n 's/^  \([a-z]\+\) .*/\1/p'
}

_pashmctl_options() {
	echo --help
	pashmctl help "$1" 2>/dev/null | sed -n 's/^  \(--[a-z]\+\) .*/\1/p'
}

# Processes, or with a slash their descriptors, that have a region. Regions
# without the module are not told from other memfds, as that takes too long.
_pashmctl_targets() {
	local process fd
	find /proc/[0-9]*/fd -maxdepth 1 \
		\( -lname 'anon_inode:\[pashm\]' -o -lname '/memfd:*' \) 2>/dev/null |
		while IFS=/ read -r _ _ process _ fd; do
			if [[ $1 == */* ]]; then echo "$process/$fd"; else echo "$process"; fi
		done | sort -u
}

_pashmctl_parameters() {
	modinfo -F parm pashm 2>/dev/null | sed 's/:.*/=/'
}

_pashmctl() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} words=''

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		words="$(_pashmctl_commands) --help --version"
	elif [[ $command == load && $before == --file ]]; then
		mapfile -t COMPREPLY < <(compgen -f -X '!*.ko*' -- "$word"
			compgen -d -- "$word")
		compopt -o filenames
		return
	elif [[ $word == -* ]]; then
		words=$(_pashmctl_options "$command")
	else
		case $command in
		help) words=$(_pashmctl_commands) ;;
		load)
			words=$(_pashmctl_parameters)
			compopt -o nospace
			;;
		info | purge) words=$(_pashmctl_targets "$word") ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
} && complete -F _pashmctl pashmctl
