#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The bugs of ../debug/canary are found, each in a guest of its own: all that the
# kinds of scripts/debug-kernel are for, and by other kernels a warning. So is
# what the kernel's log does not show.
# timeout=5400
set -euo pipefail

[[ ${1:-} != --help ]] || {
	echo 'Has scripts/vm find bugs. scripts/check runs it and sets the environment.'
	exit 0
}

# shellcheck source=selftests/scenarios/setting
. "$(dirname "$(realpath "$0")")/setting"
describe_kernel
number=0

# start NAME ARGUMENTS...: a guest with the canary loaded, one for each CPU at a
# time: most of it is waiting.
start() {
	while (($(jobs -rp | wc -l) >= $(nproc))); do
		wait -n || :
	done
	guest "$@" &
}

guest() {
	local name=$1 status=0
	shift
	"$vm" --kernel "$kernel" --mem 512M --timeout 1200 \
		--log "$logs/$name.kernel.log" --module "$work/canary.ko" \
		"$@" >"$work/$name.out" 2>"$work/$name.err" || status=$?
	echo "$status" >"$work/$name.status"
}

# expect GUEST TEXT STATUS [HEADING REGEX]: what the guest must have come to; a
# line like the regex stands below, or is, one with the heading.
expect() {
	local out=$work/$1 verdict='not ok' status=none
	read -r status <"$out.status" || :
	if [[ $status == "$3" ]] && { (($# < 5)) ||
		grep -A 1 "^vm: .*$4" "$out.err" | grep -E "$5" >/dev/null; }; then
		verdict=ok
	fi
	number=$((number + 1))
	if [[ $verdict == 'not ok' ]]; then
		echo "# exit status $status"
		sed 's/^/# stdout: /' "$out.out"
		sed 's/^/# stderr: /' "$out.err"
	fi
	echo "$verdict $number $2"
}

watches() {
	grep -qx "CONFIG_$1=y" "$KDIR/.config"
}

declare -A sign=(
	[overflow]='KASAN: slab-out-of-bounds in read_beyond'
	[freed]='KASAN: (slab-)?use-after-free in read_freed'
	[leak]='kmemleak: unreferenced object'
	[order]='possible circular locking dependency'
	[sleep]='sleeping function called from invalid context'
	[shift]='UBSAN: shift-out-of-bounds in .*canary'
	[list]='list_del corruption'
	[warning]='WARNING: .* warn\+.*canary'
	[hang]='INFO: task insmod:.* blocked for more than'
	[race]='KCSAN: data-race in (increment|race)'
)
# What is not in the log, as nobody gets to see it
bugs=(warning)
unseen=('the kernel is tainted .* that is not in the log')
commands='rmmod canary; echo 1 >/proc/sys/kernel/printk
	insmod /canary.ko bug=warning; rmmod canary'
if watches KASAN || watches KCSAN; then
	bugs+=(order sleep shift list hang)
	unseen+=('lockdep has switched itself off')
	commands+='; insmod /canary.ko bug=distrust; rmmod canary'
fi
if watches KASAN; then
	bugs+=(overflow freed leak)
	unseen+=('kmemleak has switched itself off')
	commands+='; echo off >/sys/kernel/debug/kmemleak'
fi
! watches KCSAN || bugs+=(race)

cp "$top"/selftests/debug/canary/{Kbuild,canary.c} "$work"
build=(make -s -C "$KDIR" "M=$work" modules)
command -v pahole >/dev/null || build+=(CONFIG_DEBUG_INFO_BTF_MODULES=)
"$top/scripts/kernel" enter "$KDIR" "${build[@]}" >"$work/out" 2>&1 || {
	sed 's/^/# /' "$work/out"
	exit 1
}

echo "1..$((${#bugs[@]} + ${#unseen[@]} + 2))"

# A task counts as hung after five seconds, not thirty.
start none true
for bug in "${bugs[@]}"; do
	start "$bug" --module-params "bug=$bug" \
		--append sysctl.kernel.hung_task_timeout_secs=5 true
done
start unseen --file "$work/canary.ko:/canary.ko" "$commands"
wait

expect none 'a module without a bug is well' 0
for bug in "${bugs[@]}"; do
	expect "$bug" "$bug: it is found" 125 'the kernel complains' "${sign[$bug]}"
done
expect unseen 'a module that the command has lost is missed' 125 '' \
	'has lost the module canary'
for what in "${unseen[@]}"; do
	expect unseen "unseen: $what" 125 '' "$what"
done
