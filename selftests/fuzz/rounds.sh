#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs of the fuzzer in a guest, for scripts/fuzz: FIRST_SEED PROCESSES SECONDS.
# Short ones, so that each begins from nothing, and a failure is near: with one
# process and several, without and with failing allocations, small and huge pages.
seed=$1 processes=$2 end=$(($(date +%s) + $3))
faults=
[ ! -e /proc/self/fail-nth ] || faults=--faults
round=0
while [ "$(date +%s)" -lt "$end" ]; do
	case $((round % 4)) in
	0) set -- --processes 1 ;;
	1) set -- --processes "$processes" ;;
	2) set -- --processes 1 ${faults:+"$faults"} ;;
	*) set -- --processes "$processes" ${faults:+"$faults"} ;;
	esac
	[ $((round % 8)) -lt 4 ] || set -- "$@" --huge
	left=$((end - $(date +%s)))
	[ "$left" -lt 60 ] || left=60
	[ "$left" -gt 0 ] || break
	fuzz_module --seed $((seed + round)) --seconds "$left" "$@" || {
		echo "fuzz: to replay: --replay '--seed $((seed + round)) $*'"
		exit 1
	}
	round=$((round + 1))
done
echo "fuzz: $round rounds without a failure"
