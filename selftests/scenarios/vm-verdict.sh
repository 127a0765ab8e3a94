#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/vm tells good from bad: a rig that always says "ok" proves nothing.
set -euo pipefail

[[ ${1:-} != --help ]] || {
	echo 'Checks the verdicts of scripts/vm. scripts/check runs it and sets KERNEL.'
	exit 0
}

vm=${VM:-$(dirname "$(realpath "$0")")/../../scripts/vm}
kernel=${KERNEL:-6.1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
status=0

# Runs scripts/vm, with a limit for a guest that hangs, into files.
guest() {
	status=0
	"$vm" --kernel "$kernel" --mem 256M --timeout 120 --log "$work/kernel" "$@" \
		>"$work/out" 2>"$work/err" || status=$?
}

result() {
	local verdict=$1
	number=$((number + 1))
	if [[ $verdict == 'not ok' ]]; then
		echo "# exit status $status"
		sed 's/^/# stdout: /' "$work/out"
		sed 's/^/# stderr: /' "$work/err"
	fi
	echo "$verdict $number $2"
}

# expect NAME STATUS [FILE REGEX]: what the last guest must have come to.
expect() {
	if [[ $status == "$2" ]] && { (($# < 4)) || grep -qE "$4" "$work/$3"; }; then
		result ok "$1"
	else
		result 'not ok' "$1"
	fi
}

echo 1..11

guest 'echo to stdout; echo to stderr >&2; exit 7'
expect 'the exit status of the command is passed on' 7
expect 'its output is passed on' 7 out '^to stdout$'

# shellcheck disable=SC2016 # for the guest's shell
guest sh -c 'test "$1" = "a  '\''b'\''"' name "a  'b'"
expect 'words of a command arrive as they are' 0

guest 'echo "<4>WARNING: CPU: 0 PID: 1 at planted" >/dev/kmsg'
expect 'a kernel warning fails a command that succeeded' 125 err 'at planted'

guest 'echo "<6>pashm: loading out-of-tree module taints kernel." >/dev/kmsg'
expect 'the taint of a module is no warning' 0

guest 'echo c >/proc/sysrq-trigger; sleep 60'
expect 'a panic ends the guest and is shown' 125 err 'Kernel panic'

guest 'echo b >/proc/sysrq-trigger; sleep 60'
expect 'a guest that dies silently is a failure' 125 err 'guest died'

[[ $(grep -c 'booted once more' "$work/err") == 0 ]] && verdict=ok || verdict='not ok'
result "$verdict" 'a guest that dies when its init has run is not tried again'

guest --append rdinit=/missing 'exit 0'
[[ $status == 125 && $(grep -c 'booted once more' "$work/err") == 1 ]] &&
	verdict=ok || verdict='not ok'
result "$verdict" 'one that dies before is tried again once'

guest --timeout 60 'echo begun; sleep 1000'
expect 'a command that takes too long is stopped' 124 out '^begun$'

guest 'tail /dev/zero; exit 0'
expect 'an OOM kill is in the log, and no failure' 0 kernel 'Out of memory: Killed'
